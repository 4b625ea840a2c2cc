package cmd

import (
	"strings"
	"testing"
	"time"
)

// Totals count shared content once, and what grew is what the last week brought.
func TestListTotals(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	days := func(n int) time.Time { return now.Add(-time.Duration(n) * 24 * time.Hour) }
	got := totalsOf([]listed{
		{Sandbox: "alpha", SHA256: "c", Bytes: 500, Started: days(1)},
		{Sandbox: "alpha", SHA256: "b", Bytes: 300, Started: days(2)},
		{Sandbox: "alpha", SHA256: "b", Bytes: 300, Started: days(9)},
		{Sandbox: "beta", SHA256: "b", Bytes: 300, Started: days(3)},
		{Sandbox: "beta", Damage: "torn", Bytes: 7, Started: days(1)},
		{Gateway: "nemoclaw", SHA256: "g", Bytes: 20, Started: days(30)},
	}, now)
	if want := (listTotals{Backups: 6, Of: 3, Bytes: 1120, LastWeek: 800, Damaged: 1}); got != want {
		t.Errorf("totals = %+v, want %+v", got, want)
	}
}

func TestListNamesGatewaysWhereThereAreSeveral(t *testing.T) {
	one := []listed{{Sandbox: "alpha", Gateway: "nemoclaw"}, {Sandbox: "beta", Gateway: "nemoclaw"}, {Sandbox: "beta"}}
	if severalGateways(one) {
		t.Error("one gateway, and backups that were made without asking it, are not several")
	}
	if !severalGateways(append(one, listed{Sandbox: "gamma", Gateway: "edge"})) {
		t.Error("two gateways are several")
	}
}

// A run that --lock-wait lets wait gets the store when the other one gives it back, and says meanwhile whom it waits for.
func TestLockWaitWaitsForTheOtherRun(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q")
	a := newApp(nil, h.streams())
	store, err := a.stores.open(storeOptions{dir: h.store()})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := store.Lock("another run")
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := h.run("backup-all", "--offline", "--lock-wait", "300ms"); code != ExitLocked || !strings.Contains(stderr, `waiting up to 300ms: `) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := h.run("backup-all", "--offline"); code != ExitLocked || strings.Contains(stderr, "waiting") {
		t.Errorf("without the flag: exit %d: %s", code, stderr)
	}
	go func() {
		time.Sleep(300 * time.Millisecond)
		_ = lock.Unlock()
	}()
	if code, _, stderr := h.run("backup-all", "--offline", "--lock-wait", "1m"); code != ExitOK {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// A list fits a terminal of 60 columns; a pipe gets every column.
func TestListFitsTheTerminal(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q", "--label", "before the upgrade")
	for _, tc := range []struct {
		width int
		tty   bool
		all   bool
	}{{60, true, false}, {120, true, true}, {0, false, true}} {
		var out strings.Builder
		s := h.streams()
		s.Out, s.OutTTY, s.Width = &out, tc.tty, tc.width
		if code := run(t.Context(), []string{"backups", "list"}, newApp(nil, s)); code != ExitOK {
			t.Fatalf("exit %d", code)
		}
		table, _, _ := strings.Cut(out.String(), "Backups stored in")
		for line := range strings.Lines(table) {
			if tc.width > 0 && len([]rune(strings.TrimRight(line, "\n"))) > tc.width {
				t.Errorf("%d columns: %q is wider", tc.width, line)
			}
		}
		if strings.Contains(table, "before the upgrade") != tc.all {
			t.Errorf("%d columns: %s", tc.width, table)
		}
	}
}
