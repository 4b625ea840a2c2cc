package driver

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/test/e2e/gateway"
)

// TestPhasesLeadWhereTheGatewayLetsThem: a stop leads from Ready to Stopped, a start back; from Error neither leads anywhere.
func TestPhasesLeadWhereTheGatewayLetsThem(t *testing.T) {
	for _, c := range []struct {
		from        gateway.Phase
		stop, start error
		after       [2]gateway.Phase // the stop, the start
	}{
		{gateway.Ready, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Stopped, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Stopping, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}}, // nobody carries the stop out any more
		{gateway.Starting, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Failed, openshell.ErrPhase, openshell.ErrPhase, [2]gateway.Phase{gateway.Failed, gateway.Failed}},
		{gateway.Deleting, openshell.ErrPhase, openshell.ErrPhase, [2]gateway.Phase{gateway.Deleting, gateway.Deleting}},
	} {
		b := oneSandbox(nil)
		d := open(t, "0.0.110", b)
		for i, ask := range []struct {
			do   func() error
			want error
		}{
			{func() error { return d.StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}) }, c.stop},
			{func() error { return d.StartSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}) }, c.start},
		} {
			if _, err := b.SetPhase(t.Context(), "alpha", c.from); err != nil {
				t.Fatal(err)
			}
			if err := ask.do(); !errors.Is(err, ask.want) {
				t.Errorf("from %s: %v, want %v", c.from, err, ask.want)
			}
			if now, _ := b.Memory.List(t.Context()); now[0].Phase != c.after[i] {
				t.Errorf("from %s it became %s, want %s", c.from, now[0].Phase, c.after[i])
			}
		}
	}
}

// TestPhasesOfOthersAreLeftAlone: a sandbox of the same name with another id is not the one that is meant, and an old gateway stops none.
func TestPhasesOfOthersAreLeftAlone(t *testing.T) {
	b := oneSandbox(nil)
	if err := open(t, "0.0.110", b).StopSandbox(t.Context(), lifecycle.Reference{ID: "id-b", Name: "alpha"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another id: %v", err)
	}
	if err := open(t, "0.0.104", b).StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); !errors.Is(err, openshell.ErrUnsupported) {
		t.Errorf("0.0.104: %v", err)
	}
	// One whose container has ended may still be called Ready there: that is no start.
	if err := open(t, "0.0.104", b).StartSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); !errors.Is(err, openshell.ErrUnsupported) {
		t.Errorf("0.0.104, start: %v", err)
	}
	if now, _ := b.Memory.List(t.Context()); now[0].Phase != gateway.Ready {
		t.Errorf("it became %s", now[0].Phase)
	}
}

// thawed is a gateway that calls its sandbox paused for some looks after the pause has ended.
type thawed struct {
	*moody
	looks atomic.Int32
}

func (b *thawed) List(ctx context.Context) ([]gateway.Sandbox, error) {
	all, err := b.moody.List(ctx)
	if b.looks.Add(-1) >= 0 {
		for i := range all {
			all[i].Phase, all[i].Reason = gateway.Failed, "ContainerPaused"
		}
	}
	return all, err
}

// TestAStopAwaitsTheLookAfterAPause: a backup has just thawed the sandbox, and the gateway that has not looked since must not
// leave its stop to the engine, which would leave it in Error for good.
func TestAStopAwaitsTheLookAfterAPause(t *testing.T) {
	b := &thawed{moody: oneSandbox(nil)}
	d := open(t, "0.0.110", b)
	b.looks.Store(2)
	if err := d.StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); err != nil {
		t.Error(err)
	}
	if now, _ := b.Memory.List(t.Context()); now[0].Phase != gateway.Stopped {
		t.Errorf("it became %s", now[0].Phase)
	}
}
