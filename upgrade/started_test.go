package upgrade

import (
	"strings"
	"testing"

	"sandkeeper/backup/store"
	"sandkeeper/internal/dockertest"
)

// workAt has somebody start the sandbox's container at a step, work in it, and stop it again or not.
func workAt(t *testing.T, w *world, f *fitted, at Step, stops bool) {
	t.Helper()
	f.meanwhile(at, func() {
		c := w.containers()[0].ID
		if err := f.engine.Start(t.Context(), c); err != nil {
			t.Error(err)
		}
		w.put(t, c, []dockertest.File{{Path: "/sandbox/notes.md", Data: []byte("a minute's work"), Mode: 0o640}})
		if !stops {
			return
		}
		if err := f.engine.Stop(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
}

// TestNothingIsDeletedThatSomebodyStartedMeanwhile: what was written in the old sandbox after its backup is in no backup.
func TestNothingIsDeletedThatSomebodyStartedMeanwhile(t *testing.T) {
	for _, at := range []Step{StepBackedUp, StepKeepingImage, StepImageKept, StepDeleting} {
		for _, stops := range []bool{false, true} {
			t.Run(string(at)+map[bool]string{true: ", and stopped again"}[stops], func(t *testing.T) {
				w := startWorld(t, "running", "alpha")
				f := w.fit(t)
				workAt(t, w, f, at, stops)
				got, err := f.upgrade(t.Context(), "alpha")
				if err != nil || got[0].Outcome != Failed || got[0].Unfinished || !strings.Contains(got[0].Reason, "was started again while it was being saved") {
					t.Fatalf("upgrade = %+v, %v", got, err)
				}
				now := w.containers()
				if len(now) != 1 || now[0].State != "running" || homeOf(now[0].Files)["/sandbox/notes.md"] != "0a minute's work" {
					t.Errorf("the sandbox is not what it was: %+v", now)
				}
				if left, err := f.Journal.Entries(); len(left) != 0 || err != nil {
					t.Errorf("journal = %+v, %v", left, err)
				}
			})
		}
	}
}

// TestRollbackKeepsWhatSomebodyDidInTheSameRun: the new sandbox was started before it was compared, so it is no longer what was
// restored; it goes, and what was done in it is in the newest backup.
func TestRollbackKeepsWhatSomebodyDidInTheSameRun(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	workAt(t, w, f, StepRestored, false)
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != RolledBack || got[0].Step != StepComparing {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
	latest, err := f.backups.Store.Find("alpha", store.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if notes := fileIn(t, f.backups.Store, latest, "notes.md"); notes != "a minute's work" {
		t.Errorf("backup %s has the notes %q", latest.ID, notes)
	}
}
