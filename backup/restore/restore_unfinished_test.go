package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
)

// A home that a killed restore left half done never becomes the newest backup, whichever way it is reached.
func TestRunRefusesAHalfRestoredHome(t *testing.T) {
	own, err := home.StartOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	entry := func(writing bool, pid int) RestoreEntry {
		return RestoreEntry{
			PausedEntry: home.PausedEntry{Container: backuptest.IdA, Host: "unix:///fake", PID: pid, Started: own, At: time.Now()}, Sandbox: "box-aa", Backup: "b1", Writing: writing,
		}
	}
	exec := ExecEntry{Sandbox: "alpha", Gateway: "gw", Backup: "b2", Home: "/sandbox", Stage: "/sandbox/" + stagePrefix + "x", Step: ExecSwapping, PID: 1 << 30}
	for name, tt := range map[string]struct {
		put  func(dir string) error
		exec bool
		says string // "" when it is backed up
	}{
		"nothing under way":   {put: func(string) error { return nil }},
		"not yet written to":  {put: func(dir string) error { return restoreJournal{dir}.put(entry(false, 1<<30)) }},
		"half done":           {put: func(dir string) error { return restoreJournal{dir}.put(entry(true, 1<<30)) }, says: "a restore of backup b1 into it"},
		"under way":           {put: func(dir string) error { return restoreJournal{dir}.put(entry(true, os.Getpid())) }, says: "is restoring backup b1 into it"},
		"unreadable":          {put: func(dir string) error { return torn(dir, backuptest.IdA) }, says: "not readable"},
		"exec, nothing":       {put: func(string) error { return nil }, exec: true},
		"exec, half done":     {put: func(dir string) error { return execJournalIn(dir).put(exec) }, exec: true, says: "a restore of backup b2 into it"},
		"exec, another's":     {put: func(dir string) error { e := exec; e.Gateway = "other"; return execJournalIn(dir).put(e) }, exec: true},
		"exec, not readable":  {put: func(dir string) error { return torn(filepath.Join(dir, "exec"), home.ExecKey("gw", "alpha")) }, exec: true, says: "not readable"},
		"exec, other sandbox": {put: func(dir string) error { e := exec; e.Sandbox = "beta"; return execJournalIn(dir).put(e) }, exec: true},
	} {
		dir := filepath.Join(t.TempDir(), "restoring")
		if err := tt.put(dir); err != nil {
			t.Fatal(err)
		}
		sb := backuptest.NewFakeEngine().Add(backuptest.IdA, "exited", entryOf("a"))
		if tt.exec {
			sb = backuptest.ByExec("alpha")
		}
		err := UnfinishedRestore(dir, sb)
		if want := tt.says == ""; (err == nil) != want || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func entryOf(name string) backuptest.Entry { return backuptest.Entry{Name: name, Body: "1"} }

func torn(dir, key string) error {
	return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, key+home.JournalSuffix), []byte("{torn"), 0o600))
}
