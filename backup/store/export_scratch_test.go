package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestScratchOfAKilledExportIsRemoved by the next one in that folder; that of a run that lives is not.
func TestScratchOfAKilledExportIsRemoved(t *testing.T) {
	parent := t.TempDir()
	alive, done, err := makeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	killed, young, mine := filepath.Join(parent, scratchPrefix+"1"), filepath.Join(parent, scratchPrefix+"2"), filepath.Join(parent, "mine")
	old := filepath.Join(parent, scratchPrefix+"3")
	for _, dir := range []string{killed, young, mine, old} {
		if err := os.MkdirAll(filepath.Join(dir, "alpha"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(killed, scratchOwner), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-time.Hour)); err != nil { // of a release that made no owner's file
		t.Fatal(err)
	}
	second, end, err := makeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{alive: true, killed: false, young: true, mine: true, old: false, second: true} {
		if _, err := os.Stat(path); os.IsNotExist(err) == want {
			t.Errorf("%s: there %v, want %v", path, err == nil, want)
		}
	}
	for dir, done := range map[string]func() error{alive: done, second: end} {
		if err := done(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}
