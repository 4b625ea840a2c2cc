package gateway

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// imaged is a table whose processes run one file.
type imaged struct {
	table
	file string
}

func (i imaged) Image(context.Context, int) (*os.File, string, error) {
	f, err := os.Open(i.file)
	return f, i.file, err
}

// Between the look at a process and the run of its image, its number may have gone to another one: nothing is run then.
func TestANumberThatHasGoneToAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	file, ran := filepath.Join(dir, "openshell-gateway"), filepath.Join(dir, "ran")
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho x >>"+ran+"\necho openshell-gateway 0.0.40\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	seen := running{Process: Process{PID: 7, UID: os.Geteuid(), Born: 1, Args: []string{file}}, identity: identity{shape: plain}}
	for born, known := range map[uint64]bool{1: true, 2: false} {
		now := seen.Process
		now.Born = born
		o := Options{UID: os.Geteuid(), Env: env.Parse([]string{"HOME=" + dir}), Processes: imaged{table{processes: []Process{now}}, file}}.filled()
		_ = os.Remove(ran)
		evidence, _ := o.runningVersion(t.Context(), &seen)
		if _, err := os.Stat(ran); (err == nil) != known || (evidence.State == drift.Known) != known {
			t.Errorf("born at %d: %+v, run: %v", born, evidence, err == nil)
		}
	}
}

// A process of another user that may hold the port, and that nobody can look into, is a doubt: not the gateway, and not none.
func TestWhoeverCannotBeSeenIsADoubt(t *testing.T) {
	o := Options{
		UID: 1000, Processes: table{processes: []Process{{PID: 7, UID: 1, Args: []string{"/usr/bin/openshell-gateway"}}}},
		Env: env.Parse([]string{"HOME=" + t.TempDir(), "NEMOCLAW_GATEWAY_PORT=8080"}),
	}.filled()
	s := o.sight(t.Context(), ChooseTarget(t.Context(), o), Marker{})
	if s.any() != nil || s.err == nil || !strings.Contains(s.err.Error(), "cannot be seen") {
		t.Errorf("%+v", s)
	}
}
