package restore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// A home that a killed restore left half done never becomes the newest backup, whichever way it is reached.
func TestRunRefusesAHalfRestoredHome(t *testing.T) {
	entry := func(writing bool) journal.Restore {
		return journal.Restore{Pause: journal.Pause{Container: backuptest.IdA, Host: "unix:///fake", At: time.Now()}, Sandbox: "box-aa", Backup: "b1", Writing: writing}
	}
	exec := func(change func(*journal.ExecRestore)) func(dir string) {
		return func(dir string) {
			e := journal.ExecRestore{Sandbox: "alpha", Gateway: "gw", Backup: "b2", Home: "/sandbox", Stage: "/sandbox/" + journal.StagePrefix + "x", Step: journal.ExecSwapping}
			change(&e)
			journaltest.Leave(t, journal.ExecRestores(dir), e.Key(), e)
		}
	}
	left := func(writing bool) func(dir string) {
		return func(dir string) { journaltest.Leave(t, journal.Restores(dir), backuptest.IdA, entry(writing)) }
	}
	for name, tt := range map[string]struct {
		put  func(dir string)
		exec bool
		says string // "" when it is backed up
	}{
		"nothing under way":   {put: func(string) {}},
		"not yet written to":  {put: left(false)},
		"half done":           {put: left(true), says: "a restore of backup b1 into it"},
		"under way":           {put: func(dir string) { journaltest.Hold(t, journal.Restores(dir), backuptest.IdA, entry(true)) }, says: "is restoring backup b1 into it"},
		"unreadable":          {put: func(dir string) { left(true)(dir); torn(t, journal.Restores(dir).Path(backuptest.IdA)) }, says: "not readable"},
		"of an older version": {put: func(dir string) { left(true)(dir); remove(t, journal.Restores(dir).LockPath(backuptest.IdA)) }, says: "a restore of backup b1 into it"},
		"older, whole":        {put: func(dir string) { left(false)(dir); remove(t, journal.Restores(dir).LockPath(backuptest.IdA)) }},
		"of anybody":          {put: func(dir string) { left(true)(dir); openToAll(t, journal.Restores(dir).Path(backuptest.IdA)) }},
		"exec, nothing":       {put: func(string) {}, exec: true},
		"exec, half done":     {put: exec(func(*journal.ExecRestore) {}), exec: true, says: "a restore of backup b2 into it"},
		"exec, another's":     {put: exec(func(e *journal.ExecRestore) { e.Gateway = "other" }), exec: true},
		"exec, not readable": {put: func(dir string) {
			exec(func(*journal.ExecRestore) {})(dir)
			torn(t, journal.ExecRestores(dir).Path(journal.Key("gw", "alpha")))
		}, exec: true, says: "not readable"},
		"exec, other sandbox": {put: exec(func(e *journal.ExecRestore) { e.Sandbox = "beta" }), exec: true},
	} {
		dir := filepath.Join(t.TempDir(), "restoring")
		tt.put(dir)
		sb := backuptest.NewFakeEngine().Add(backuptest.IdA, "exited", entryOf("a"))
		if tt.exec {
			sb = backuptest.ByExec("alpha")
		}
		err := Unfinished(dir, sb)
		if want := tt.says == ""; (err == nil) != want || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func entryOf(name string) backuptest.Entry { return backuptest.Entry{Name: name, Body: "1"} }

func torn(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// openToAll lets everybody write a file, so that what is in it may be anybody's.
func openToAll(t *testing.T, file string) {
	t.Helper()
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
}
