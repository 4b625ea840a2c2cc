package restore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

func TestDropRestoresTakesOneSandboxesOnly(t *testing.T) {
	root, shelf := t.TempDir(), journal.Restores(filepath.Join(t.TempDir(), "restoring"))
	copyOf := map[string]string{}
	for id, name := range map[string]string{backuptest.IdA: "default", backuptest.IdB: "team2"} {
		copyOf[name] = filepath.Join(root, ".before-restore-"+name+"-1.tar.zst")
		journaltest.Leave(t, shelf, id, journal.Restore{
			Pause:   journal.Pause{Container: id, Name: "openshell-" + name, Host: "unix:///x", At: time.Now()},
			Sandbox: "alpha", Gateway: "lab", Workspace: name, Root: root, Copy: copyOf[name], Writing: true,
		})
		if err := os.WriteFile(copyOf[name], []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing left to do
		if err := Drop(shelf, "lab", "default", "alpha"); err != nil {
			t.Fatal(err)
		}
	}
	if left := journaltest.Values(t, shelf); len(left) != 1 || left[0].Workspace != "team2" {
		t.Errorf("the shelf has %+v, want what is of team2", left)
	}
	if _, err := os.Stat(copyOf["default"]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy of the default one: %v", err)
	}
	if _, err := os.Stat(copyOf["team2"]); err != nil {
		t.Error(err)
	}
	if err := Drop(journal.Restores(filepath.Join(root, "nothing")), "lab", "", "alpha"); err != nil {
		t.Errorf("without a journal: %v", err)
	}
}
