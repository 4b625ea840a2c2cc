package gateway

import (
	"context"
	"os"
	"testing"

	"sandkeeper/internal/env"
)

// leaving is a table whose processes end once they were looked at.
type leaving struct {
	table
	looks *int
	as    Process // what is left then; none when it has no PID
}

func (l leaving) Look(ctx context.Context, pid int) (Process, error) {
	if *l.looks++; *l.looks < 3 { // once for its command line
		return l.table.Look(ctx, pid)
	}
	if l.as.PID == pid {
		return l.as, nil
	}
	return Process{}, os.ErrNotExist
}

func (l leaving) Args(ctx context.Context, pid int) ([]string, error) {
	seen, err := l.Look(ctx, pid)
	return seen.Args, err
}

// A process of another user that ends while it is looked at is not the gateway, and leaves no doubt.
func TestScanOfAProcessThatEnds(t *testing.T) {
	gateway := Process{PID: 7, UID: 1, Args: []string{"/usr/bin/openshell-gateway"}}
	for _, left := range []Process{{}, {PID: 7, UID: 1, Zombie: true}} {
		looks := 0
		o := Options{
			UID: 1000, Processes: leaving{table{processes: []Process{gateway}}, &looks, left},
			Env: env.Parse([]string{"HOME=" + t.TempDir(), "NEMOCLAW_GATEWAY_PORT=8080"}),
		}.filled()
		s := o.sight(t.Context(), ChooseTarget(t.Context(), o), Marker{})
		if s.any() != nil || s.err != nil || looks != 3 {
			t.Errorf("left %+v: %+v after %d looks", left, s, looks)
		}
	}
}
