package gateway

import (
	"os"
	"testing"
	"time"
)

// A process that lives on is one and the same at each look, however long the looks take and wherever in its second the machine was
// booted.
func TestWhenAProcessStartedDoesNotChange(t *testing.T) {
	var host hostProcesses
	first, err := host.Look(t.Context(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		again, err := host.Look(t.Context(), os.Getpid())
		if err != nil || again.Born != first.Born || again.Born == 0 {
			t.Fatalf("born at %d, and then at %d, %v", first.Born, again.Born, err)
		}
	}
	before := time.Now()
	child := sleeper(t, "nemoclaw-8096")
	after := time.Now()
	got, err := host.Look(t.Context(), child.Process.Pid)
	if err != nil || got.Born < first.Born || got.Started.Before(before.Add(-2*tickLength)) || got.Started.After(after.Add(tickLength)) {
		t.Errorf("started at %s (%d), %v; want it between %s and %s", got.Started, got.Born, err, before, after)
	}
}

func TestBornIn(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 123456 20 21"
	for stat, want := range map[string]uint64{
		"7 (sleep)" + rest: 123456, "7 (a) R 1 (b)" + rest: 123456, "7 ()" + rest: 123456, "": 0, "7 (sleep) S 1": 0, "7 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -1": 0,
	} {
		if got, err := bornIn(stat); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", stat, got, err, want)
		}
	}
}
