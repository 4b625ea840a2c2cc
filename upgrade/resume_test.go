package upgrade

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// killedAt makes the upgrade of alpha end at a step as if it were killed: its journal stays.
func (f *fitted) killedAt(t *testing.T, at Step) {
	t.Helper()
	f.meanwhile(at, func() { panic("killed") })
	if got, err := f.upgrade(t.Context(), "alpha"); err != nil || !got[0].Unfinished {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	f.Progress = nil
}

// TestResumeTakesWhatCameSince has somebody work in the old sandbox after a run was killed: what was saved before is too old.
func TestResumeTakesWhatCameSince(t *testing.T) {
	for _, at := range []Step{StepStopped, StepBackedUp, StepImageKept, StepDeleting} {
		t.Run(string(at), func(t *testing.T) {
			w, f := workedIn(t, at)
			got, err := f.task(t.Context(), "resume")
			if err != nil || got[0].Outcome != Upgraded {
				t.Fatalf("resume = %+v, %v", got, err)
			}
			now := w.containers()
			if len(now) != 1 || now[0].ImageID != newImg || homeOf(now[0].Files)["/sandbox/notes.md"] != "0a day's work" {
				t.Errorf("what came since is lost: %+v", now)
			}
			if _, kept := w.engine.Committed("sandkeeper-rollback/alpha:run1"); kept {
				t.Error("the rollback image is left over")
			}
		})
	}
}

// unreadable is content whose backups cannot be used any more.
type unreadable struct {
	Content
	why error
}

func (d unreadable) Restore(context.Context, sandbox.Sandbox, string) error { return d.why }

func (d unreadable) Compare(context.Context, sandbox.Sandbox, string, bool) (Differences, error) {
	return Differences{}, d.why
}

// TestADamagedBackupKeepsNobodyFromComingHome: the rollback image has the home as well.
func TestADamagedBackupKeepsNobodyFromComingHome(t *testing.T) {
	for _, why := range []error{&archive.DamageError{Object: "archive.tar.zst", Err: errors.New("another digest")}, &store.NotFoundError{Sandbox: "alpha"}} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		f.Content = unreadable{f.Content, why}
		got, err := f.upgrade(t.Context(), "alpha")
		if err != nil || got[0].Outcome != RolledBack || got[0].Step != StepRestoring {
			t.Fatalf("upgrade = %+v, %v", got, err)
		}
		if said := strings.Join(got[0].Warnings, "\n"); !strings.Contains(said, "could not be compared with its backup "+got[0].Backup) {
			t.Errorf("warnings = %q", said)
		}
		w.settled(t, f, "alpha", "running")
	}
}

// TestTheWayBackAsksAgain has a gateway that refuses once to delete what came in the old one's place.
func TestTheWayBackAsksAgain(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.phases = []string{"Error"}
	deletions := 0
	w.hook = func(op string) {
		delete(w.refuse, "delete")
		if op == "delete" {
			if deletions++; deletions == 2 {
				w.refuse["delete"] = "removal is in progress"
			}
		}
	}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != RolledBack || deletions != 3 {
		t.Fatalf("upgrade = %+v, %v after %d deletions", got, err, deletions)
	}
	w.settled(t, f, "alpha", "running")
}

// TestWhatRunsFromAnotherImageIsNotTheOldOne goes back where a creation that was given up has come about late.
func TestWhatRunsFromAnotherImageIsNotTheOldOne(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.fails("create", "quota exceeded")
	f.meanwhile(StepRecreating, func() { w.fails("create", ""); w.another(t) })
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "does not run from "+got[0].RollbackImage) {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	w.gone(t, w.listed()[0].ID)
	f.Progress = nil
	if got, err = f.task(t.Context(), "rollback"); err != nil || got[0].Outcome != RolledBack {
		t.Fatalf("rollback = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}

// TestKilledTwiceBeforeAnythingWasDeleted: an upgrade that goes on begins with its preconditions again; killed there, it is not forgotten,
// for its sandbox is stopped.
func TestKilledTwiceBeforeAnythingWasDeleted(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.killedAt(t, StepStopped)
	f.meanwhile(StepPreconditions, func() { panic("killed") })
	if got, err := f.task(t.Context(), "resume"); err != nil || len(got) != 1 || !got[0].Unfinished {
		t.Fatalf("resume = %+v, %v", got, err)
	}
	f.Progress = nil
	if got, err := f.task(t.Context(), "rollback"); err != nil || len(got) != 1 {
		t.Fatalf("rollback = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}
