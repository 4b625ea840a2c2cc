package restore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
)

func TestDropRestoresTakesOneSandboxesOnly(t *testing.T) {
	root, j := t.TempDir(), restoreJournal{filepath.Join(t.TempDir(), "restoring")}
	copyOf := map[string]string{}
	for id, name := range map[string]string{backuptest.IdA: "alpha", backuptest.IdB: "beta"} {
		copyOf[name] = filepath.Join(root, ".before-restore-"+name+"-1.tar.zst")
		entry := RestoreEntry{
			PausedEntry: home.PausedEntry{Container: id, Name: "openshell-" + name, Host: "unix:///x", PID: 1 << 30, At: time.Now()},
			Sandbox:     name, Root: root, Copy: copyOf[name], Writing: true,
		}
		if err := errors.Join(j.put(entry), os.WriteFile(entry.Copy, []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing left to do
		if err := DropRestores(j.dir, "alpha"); err != nil {
			t.Fatal(err)
		}
	}
	left, err := j.list()
	if err != nil || len(left) != 1 || left[0].Sandbox != "beta" {
		t.Errorf("the journal has %+v, %v, want what is of beta", left, err)
	}
	if _, err := os.Stat(copyOf["alpha"]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy of alpha: %v", err)
	}
	if _, err := os.Stat(copyOf["beta"]); err != nil {
		t.Error(err)
	}
	if err := DropRestores(filepath.Join(root, "nothing"), "alpha"); err != nil {
		t.Errorf("without a journal: %v", err)
	}
}
