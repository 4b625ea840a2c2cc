package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/sandbox"
)

// A home that a killed restore left half done never becomes the newest backup, whichever way it is reached.
func TestRunRefusesAHalfRestoredHome(t *testing.T) {
	own, err := startOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	entry := func(writing bool, pid int) RestoreEntry {
		return RestoreEntry{
			PausedEntry: PausedEntry{Container: idA, Host: "unix:///fake", PID: pid, Started: own, At: time.Now()}, Sandbox: "box-aa", Backup: "b1", Writing: writing,
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
		"unreadable":          {put: func(dir string) error { return torn(dir, idA) }, says: "not readable"},
		"exec, nothing":       {put: func(string) error { return nil }, exec: true},
		"exec, half done":     {put: func(dir string) error { return execJournalIn(dir).put(exec) }, exec: true, says: "a restore of backup b2 into it"},
		"exec, another's":     {put: func(dir string) error { e := exec; e.Gateway = "other"; return execJournalIn(dir).put(e) }, exec: true},
		"exec, not readable":  {put: func(dir string) error { return torn(filepath.Join(dir, "exec"), execKey("gw", "alpha")) }, exec: true, says: "not readable"},
		"exec, other sandbox": {put: func(dir string) error { e := exec; e.Sandbox = "beta"; return execJournalIn(dir).put(e) }, exec: true},
	} {
		dir := filepath.Join(t.TempDir(), "restoring")
		if err := tt.put(dir); err != nil {
			t.Fatal(err)
		}
		f := newFakeEngine()
		r := &Run{Store: newStore(t, StoreOptions{}), containers: f, PauseLimit: -1, Restoring: dir}
		sb := f.add(idA, "exited", entryOf("a"))
		if tt.exec {
			home := &folder{dir: t.TempDir()}
			write(t, home.dir, map[string]string{"a": "1"})
			r, sb = &Run{Store: r.Store, CLI: home, Restoring: dir}, byExec("alpha")
		}
		summary, err := r.All(t.Context(), sandbox.Inventory{Sandboxes: []sandbox.Sandbox{sb}})
		if err != nil {
			t.Fatal(err)
		}
		o := summary.Sandboxes[0]
		if want := tt.says == ""; (o.Status == BackedUp) != want || !strings.Contains(o.Reason, tt.says) {
			t.Errorf("%s: %s, %q", name, o.Status, o.Reason)
		}
		if made, err := r.Store.Backups(sb.Name); (len(made) == 0) == (tt.says == "") || err != nil {
			t.Errorf("%s: %d backups, %v", name, len(made), err)
		}
	}
}

func entryOf(name string) entry { return entry{name: name, body: "1"} }

func torn(dir, key string) error {
	return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, key+journalSuffix), []byte("{torn"), 0o600))
}
