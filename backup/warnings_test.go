package backup

import (
	"errors"
	"sync"
	"testing"

	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
)

// Sandboxes are saved one beside the other: no warning of one is lost to that of another. The race detector sees more.
func TestWarningsOfWorkersComeBesideEachOther(t *testing.T) {
	w := &run{Options: &Options{
		Pauses: journal.Pauses(t.TempDir()), Guard: func() (*home.Guardian, error) { return nil, errors.New("no guard") },
	}}
	var workers sync.WaitGroup
	workers.Go(func() { w.pausing(backuptest.NewFakeEngine()) })
	workers.Go(func() { w.missing("nebula", errors.New("no recipe")) })
	workers.Wait()
	if len(w.warnings) != 2 {
		t.Errorf("warnings %q", w.warnings)
	}
}
