package journal

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// assertHeld asserts that nobody else gets the record, and that its holder is named.
func assertHeld(t *testing.T, s Shelf[note], pid int) {
	t.Helper()
	names, problems := abandoned(s)
	if len(names) != 0 || len(problems) != 1 {
		t.Fatalf("recovery took %q; %v", names, problems)
	}
	held, ok := errors.AsType[*HeldError](problems[0])
	if !ok || held.Holder.PID != pid {
		t.Errorf("the record is left alone, but its holder %d is not named: %v", pid, problems[0])
	}
	seen, found, err := s.Look(keyA)
	if err != nil || !found || seen.Owner == nil || seen.Err != nil || seen.Value.Name != "victim" {
		t.Errorf("a reader sees %+v, %v, %v", seen, found, err)
	}
}

func assertFree(t *testing.T, s Shelf[note]) {
	t.Helper()
	names, problems := abandoned(s)
	if len(names) != 1 || names[0] != "victim" || len(problems) != 0 {
		t.Errorf("recovery took %q; %v", names, problems)
	}
	if seen, found, err := s.Look(keyA); err != nil || !found || seen.Owner != nil || seen.Err != nil {
		t.Errorf("a reader sees %+v, %v, %v", seen, found, err)
	}
}

// An owner is alive until it is dead, whatever the clock says meanwhile, and dead as soon as it was killed.
func TestARecordBelongsToItsOwnerUntilItDies(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	child := startVictim(t, s.Dir(), "stay", func(*exec.Cmd) {})
	assertHeld(t, s, child.Process.Pid)
	for _, when := range []time.Time{time.Unix(0, 0), time.Now().AddDate(100, 0, 0)} { // as after a clock step
		for _, path := range []string{s.Path(keyA), s.LockPath(keyA)} {
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		assertHeld(t, s, child.Process.Pid)
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	assertHeld(t, s, child.Process.Pid)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	assertFree(t, s)
}

// In a PID namespace of its own an owner calls itself process 1, and no PID out here is its own.
func TestAnOwnerInAnotherPIDNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, needs root: a PID namespace is made")
	}
	s := NewShelf(t.TempDir(), notes())
	child := startVictim(t, s.Dir(), "stay", func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	})
	assertHeld(t, s, 1)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	assertFree(t, s)
}

// Killed at any moment of a Put, an owner leaves the old record or the new one, whole.
func TestAKilledPutLeavesAWholeRecord(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	for round := range 30 {
		child := startVictim(t, s.Dir(), "write", func(*exec.Cmd) {})
		time.Sleep(time.Duration(round) * 700 * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		assertFree(t, s)
	}
}

// A zombie holds nothing: its descriptors are closed.
func TestAZombieOwnsNothing(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	child := startVictim(t, s.Dir(), "stay", func(*exec.Cmd) {})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		names, _ := abandoned(s) // the child is not waited for
		if len(names) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a zombie counts as an owner")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
