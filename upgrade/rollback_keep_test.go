package upgrade

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/dockertest"
	"sandkeeper/sandbox"
)

// workedIn is a world in which run1 of an upgrade was killed at a step, and somebody has worked in the sandbox since, the old or the new.
func workedIn(t *testing.T, at Step) (*world, *fitted) {
	t.Helper()
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.RunID = func() string { return "run1" }
	f.killedAt(t, at)
	c := w.containers()[0].ID
	if err := f.engine.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.put(t, c, []dockertest.File{{Path: "/sandbox/notes.md", Data: []byte("a day's work"), Mode: 0o640}})
	return w, f
}

// TestRollbackKeepsWhatWasDoneInTheNewSandbox: it is deleted, and all that it held is in the newest backup. Resuming at the comparison
// ends in the same way, for the new sandbox is no longer what was restored.
func TestRollbackKeepsWhatWasDoneInTheNewSandbox(t *testing.T) {
	for _, c := range []struct {
		at   Step
		task string
	}{{StepRestored, "rollback"}, {StepComparing, "rollback"}, {StepStarted, "rollback"}, {StepComparing, "resume"}} {
		t.Run(string(c.at)+", "+c.task, func(t *testing.T) {
			w, f := workedIn(t, c.at)
			got, err := f.task(t.Context(), c.task)
			if err != nil || got[0].Outcome != RolledBack {
				t.Fatalf("%s = %+v, %v", c.task, got, err)
			}
			w.settled(t, f, "alpha", "running")
			latest, err := f.backups.Store.Find("alpha", store.Latest)
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(got[0].Warnings, "\n"); latest.ID == got[0].Backup || !strings.Contains(said, "is in backup "+latest.ID) {
				t.Errorf("the newest backup is %s, that of the old sandbox %s; warnings %q", latest.ID, got[0].Backup, said)
			}
			if notes := fileIn(t, f.backups.Store, latest, "notes.md"); notes != "a day's work" {
				t.Errorf("backup %s has the notes %q", latest.ID, notes)
			}
		})
	}
}

// TestRollbackKeepsWhatWasDoneBeforeTheHomeCameBack: a new sandbox runs, empty, until its upgrade goes on, and where none was made yet,
// somebody may have made one by hand. What was done in it is kept, and does not pass for the newest state of the sandbox.
func TestRollbackKeepsWhatWasDoneBeforeTheHomeCameBack(t *testing.T) {
	for _, at := range []Step{StepCreating, StepCreated, StepSettled, StepRestoring} {
		t.Run(string(at), func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			f.killedAt(t, at)
			if at == StepCreating {
				w.another(t)
			}
			w.put(t, w.containers()[0].ID, []dockertest.File{{Path: "/sandbox/notes.md", Data: []byte("a day's work"), Mode: 0o640}})
			got, err := f.task(t.Context(), "rollback")
			if err != nil || got[0].Outcome != RolledBack {
				t.Fatalf("rollback = %+v, %v", got, err)
			}
			w.settled(t, f, "alpha", "running")
			if latest, err := f.backups.Store.Find("alpha", store.Latest); err != nil || latest.ID != got[0].Backup {
				t.Errorf("the newest backup is %s, %v, want that of the old sandbox, %s", latest.ID, err, got[0].Backup)
			}
			_, said, _ := strings.Cut(strings.Join(got[0].Warnings, "\n"), "when it was deleted, is in backup ")
			kept, err := f.backups.Store.Find("alpha", said)
			if err != nil || said == "" || fileIn(t, f.backups.Store, kept, "notes.md") != "a day's work" {
				t.Errorf("what was done is not in a backup that is named: %q, %v", got[0].Warnings, err)
			}
		})
	}
}

// unsaved is content of which no backup can be made any more.
type unsaved struct{ Content }

func (unsaved) Save(context.Context, sandbox.Sandbox) (Saved, error) {
	return Saved{}, errors.New("no space left on device")
}

// TestRollbackDeletesNothingThatCouldNotBeSaved leaves the new sandbox where it is, and goes on when there is room again.
func TestRollbackDeletesNothingThatCouldNotBeSaved(t *testing.T) {
	w, f := workedIn(t, StepStarted)
	whole := f.Content
	f.Content = unsaved{whole}
	f.ReadyLimit = 1 // how often a deletion is tried again
	got, err := f.task(t.Context(), "rollback")
	if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "could not be saved, so it is not deleted: no space left on device") {
		t.Fatalf("rollback = %+v, %v", got, err)
	}
	if now := w.containers(); len(now) != 1 || homeOf(now[0].Files)["/sandbox/notes.md"] != "0a day's work" {
		t.Fatalf("the new sandbox is not what it was: %+v", now)
	}
	f.Content, f.ReadyLimit = whole, 0
	if got, err := f.task(t.Context(), "rollback"); err != nil || got[0].Outcome != RolledBack {
		t.Fatalf("rollback, with room = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}

// differsOnce is content that is not as its backup when it is looked at first.
type differsOnce struct {
	Content
	seen *bool
}

func (d differsOnce) Compare(ctx context.Context, sb sandbox.Sandbox, id string, stateOnly bool) (Differences, error) {
	if !*d.seen {
		*d.seen = true
		return Differences{Changed: []string{"notes.md"}}, nil
	}
	return d.Content.Compare(ctx, sb, id, stateOnly)
}

// TestRollbackInTheSameRunSavesNoSecondTime: nobody can have worked in a sandbox that was stopped from its restore on.
func TestRollbackInTheSameRunSavesNoSecondTime(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Content = differsOnce{f.Content, new(bool)}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != RolledBack || got[0].Step != StepComparing {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
	if said := strings.Join(got[0].Warnings, "\n"); strings.Contains(said, "when it was deleted") {
		t.Errorf("warnings = %q", said)
	}
}

func fileIn(t *testing.T, store *store.Store, b store.Backup, name string) string {
	t.Helper()
	r, err := store.Open(t.Context(), b, archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s is not in backup %s: %v", name, b.ID, err)
		}
		if h.Name == name && h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
}
