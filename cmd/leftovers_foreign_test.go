package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// Root with somebody's HOME does nothing that the journals in it ask for: they are named, and stay.
func TestJournalsOfAnotherUserAreNotObeyed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, needs root: files are given to another user")
	}
	h := newHost(t)
	state := filepath.Join(h.home, ".local/state")
	id := strings.Repeat("a", 64)
	pause := journal.Pause{Container: id, Name: "theirs", Engine: "docker X /", Host: "unix:///nonexistent"}
	kept := filepath.Join(t.TempDir(), ".before-restore-a-1.tar.zst")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pauses, restores := journal.Pauses(journal.PausedDir(state)), journal.Restores(journal.RestoringDir(state))
	journaltest.Leave(t, pauses, id, pause)
	journaltest.Leave(t, restores, id, journal.Restore{Pause: pause, Sandbox: "alpha", Root: filepath.Dir(kept), Copy: kept})
	for _, path := range []string{pauses.Dir(), pauses.Path(id), pauses.LockPath(id), restores.Dir(), restores.Path(id), restores.LockPath(id)} {
		if err := os.Chown(path, 4711, 4711); err != nil {
			t.Fatal(err)
		}
	}
	_, _, stderr := h.run("config", "show")
	for _, want := range []string{
		"the record of a paused container is left alone: " + pauses.Dir() + " belongs to user 4711", "the record of a restore is left alone: " + restores.Dir() + " belongs to user 4711",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "theirs") {
		t.Errorf("what they ask for was looked at:\n%s", stderr)
	}
	for _, path := range []string{pauses.Path(id), restores.Path(id), kept} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
