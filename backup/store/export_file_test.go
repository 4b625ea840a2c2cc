package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Every call that writes an exported file fails in turn: there is the whole file or none, no litter, and the cause is told.
func TestExportFileSurvivesEveryFailurePoint(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	want := exported(t, s, b)
	for failAt := 1; ; failAt++ {
		done := false
		t.Run("call "+strconv.Itoa(failAt), func(t *testing.T) {
			dir := t.TempDir()
			failing := *s
			failing.disk = newFaultDisk(failAt, syscall.ENOSPC)
			err := failing.ExportFile(t.Context(), b, filepath.Join(dir, "alpha.tar"), nil)
			done = err == nil
			if err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("cause lost: %v", err)
			}
			got, readErr := os.ReadFile(filepath.Join(dir, "alpha.tar"))
			if readErr == nil && string(got) != string(want) || err == nil && readErr != nil {
				t.Errorf("%d bytes, want %d or none (%v)", len(got), len(want), readErr)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("litter: %v", left)
			}
		})
		if done {
			return
		}
	}
}

func TestExportFileReplacesNothing(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	path := filepath.Join(t.TempDir(), "alpha.tar")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ExportFile(t.Context(), b, path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("err = %v, want one that says that the file is there", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "mine" {
		t.Errorf("the file now holds %q", got)
	}
}
