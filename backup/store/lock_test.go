package store

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/disk"
)

func TestLockNamesItsHolder(t *testing.T) {
	s := testStore(t, Options{})
	first, err := s.Lock("backup-all")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock("backups prune")
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.PID != os.Getpid() || locked.Command != "backup-all" || locked.Since.IsZero() || locked.Path != s.Root() {
		t.Errorf("err = %+v", err)
	}
	if _, err := s.Sandboxes(); err != nil {
		t.Errorf("a reader was stopped: %v", err)
	}
	if err := os.WriteFile(filepath.Join(s.Root(), lockHolderName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock("x"); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("with an unreadable word of the holder: %v", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := s.Lock("backups prune")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
}

// A process that dies without unlocking: the kernel frees the lock, the word it left does not block, its leftovers are swept.
func TestLockOfADeadHolderDoesNotBlock(t *testing.T) {
	if dir, inChild := os.LookupEnv("SANDKEEPER_TEST_LOCK"); inChild {
		child, err := Open(dir, Options{UID: os.Getuid()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.Lock("dies"); err != nil {
			t.Fatal(err)
		}
		if _, err := disk.Stage(disk.Real{}, child.folder("alpha"), "half"); err != nil {
			t.Fatal(err)
		}
		os.Exit(9)
	}
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), folderItem("."))
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SANDKEEPER_TEST_LOCK="+s.Root())
	if text, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 9 {
		t.Fatalf("child: %v\n%s", err, text)
	}
	lock, err := s.Lock("backup-all")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if want := filepath.Join(s.folder("alpha"), ".tmp-half"); len(lock.Swept) != 1 || lock.Swept[0] != want {
		t.Errorf("swept %v, want %s", lock.Swept, want)
	}
	if err := s.Verify(t.Context(), b, true); err != nil {
		t.Errorf("the sweep took a backup: %v", err)
	}
}

func TestSweepLeavesALiveRunAlone(t *testing.T) {
	s := testStore(t, Options{})
	create(t, s, newOf("alpha"), folderItem("."))
	live, err := disk.Stage(disk.Real{}, s.folder("alpha"), "live")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := s.Lock("backup-all")
	if err != nil || len(lock.Swept) != 0 {
		t.Errorf("swept %v, %v", lock, err)
	}
	if err := errors.Join(lock.Unlock(), live.Discard()); err != nil {
		t.Error(err)
	}
}
