package disk

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestScratchOfAKilledRunIsRemoved by the next run; that of a run that lives is not, and no link is followed.
func TestScratchOfAKilledRunIsRemoved(t *testing.T) {
	parent, elsewhere := t.TempDir(), t.TempDir()
	alive, err := NewScratch(parent, "scratch-")
	if err != nil {
		t.Fatal(err)
	}
	killed, other, link := filepath.Join(parent, "scratch-1"), filepath.Join(parent, "mine"), filepath.Join(parent, "scratch-2")
	kept := filepath.Join(elsewhere, "kept")
	for _, dir := range []string{filepath.Join(killed, "alpha"), other, kept} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	second, err := NewScratch(parent, "scratch-")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{alive.Dir: true, killed: false, other: true, link: true, kept: true, second.Dir: true} {
		if _, err := os.Lstat(path); os.IsNotExist(err) == want {
			t.Errorf("%s: there %v, want %v", path, err == nil, want)
		}
	}
	for _, s := range []*Scratch{alive, second} {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(s.Dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", s.Dir, err)
		}
	}
}

// TestScratchOfAnotherUserIsLeftAlone: who owns a folder in /tmp may put anything into it.
func TestScratchOfAnotherUserIsLeftAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	parent := t.TempDir()
	theirs := filepath.Join(parent, "scratch-1")
	if err := os.Mkdir(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(theirs, 1, 1); err != nil {
		t.Fatal(err)
	}
	s, err := NewScratch(parent, "scratch-")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	if _, err := os.Lstat(theirs); err != nil {
		t.Errorf("the folder of another user is gone: %v", err)
	}
}

// TestScratchIsLockedBeforeItIsUsed: a sweep by another run between the making of a folder and its lock takes that folder, and no other.
func TestScratchIsLockedBeforeItIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "scratch-1")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := lockFolder(dir); !errors.Is(err, ErrHeld) {
		t.Errorf("a locked folder: %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); !errors.Is(err, errSwept) {
		t.Errorf("a folder that is gone: %v", err)
	}
}

// TestRunsAtTheSameTimeKeepTheirScratch: each sweeps the folder of every other one, at any moment of its life.
func TestRunsAtTheSameTimeKeepTheirScratch(t *testing.T) {
	parent := t.TempDir()
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			for range 40 {
				s, err := NewScratch(parent, "scratch-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(os.WriteFile(filepath.Join(s.Dir, "copy"), nil, 0o600), s.Remove()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
