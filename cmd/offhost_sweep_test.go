package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/internal/disk"
)

// What a killed command has brought from a bucket is in plain text: the next run of backup-all takes it away, and leaves
// what a living one has open, and everything in a dry run.
func TestTheNextRunRemovesWhatAKilledOneBroughtFromABucket(t *testing.T) {
	h := saved(t)
	left, open := filepath.Join(h.store(), fetchedPrefix+"1111"), filepath.Join(h.store(), fetchedPrefix+"2222")
	for _, dir := range []string{left, open} {
		if err := os.MkdirAll(filepath.Join(dir, "alpha"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	held, err := disk.HoldFolder(open)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	h.mustRun("backup-all", "--offline", "-q", "--dry-run")
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	h.mustRun("backup-all", "--offline", "-q")
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(open, "alpha")); err != nil {
		t.Errorf("what a living run has open: %v", err)
	}
}

// A folder that a sweep removes before it is held is made again: nothing is brought into one that is gone.
func TestAFetchedFolderIsThereWhenItIsHeld(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, fetchedPrefix+"1111")
	done, swept := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				swept <- nil
				return
			default:
			}
			if err := sweepFetched(root); err != nil {
				swept <- err
				return
			}
		}
	}()
	for range 2000 {
		held, err := holdFetched(dir)
		if errors.Is(err, disk.ErrHeld) {
			continue // the sweep has it
		}
		if err == nil {
			_, err = os.Stat(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = held.Close()
	}
	close(done)
	if err := <-swept; err != nil {
		t.Fatal(err)
	}
}
