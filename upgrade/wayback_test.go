package upgrade

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestWhenTheWayBackFailsToo stops both ways: the outcome says what is where and which commands go on, and each of them does.
func TestWhenTheWayBackFailsToo(t *testing.T) {
	for _, then := range []string{"resume", "rollback"} {
		t.Run(then, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			w.fails("create", "quota exceeded")
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != Failed || !got[0].Unfinished || got[0].Step != StepRecreating {
				t.Fatalf("upgrade = %+v, %v", got, err)
			}
			for _, want := range []string{
				"quota exceeded", "Its gateway does not list it", "image " + got[0].RollbackImage + " holds its file system", "backup " + got[0].Backup + " holds its home",
				"sandkeeper upgrade-sandboxes --resume --only alpha", "sandkeeper upgrade-sandboxes --rollback --only alpha",
			} {
				if !strings.Contains(got[0].Reason, want) {
					t.Errorf("the reason does not say %q: %s", want, got[0].Reason)
				}
			}
			if entries, _ := f.Journal.Unfinished(); len(entries) != 1 || entries[0].FailedAt != StepCreating {
				t.Errorf("journal = %+v", entries)
			}
			w.fails("create", "")
			again, err := f.task(t.Context(), then)
			if err != nil || len(again) != 1 || again[0].Outcome != RolledBack {
				t.Fatalf("%s = %+v, %v", then, again, err)
			}
			w.settled(t, f, "alpha", "running")
		})
	}
}

func TestGatewayThatDiesInTheMiddle(t *testing.T) {
	for then, want := range map[string]OutcomeWord{"resume": Upgraded, "rollback": RolledBack} {
		t.Run(then, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			w.hook = func(op string) {
				if op == "create" {
					w.refuse["create"], w.refuse["list"], w.refuse["delete"] = "connection refused", "connection refused", "connection refused"
				}
			}
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "Whether its gateway has it is not known") {
				t.Fatalf("upgrade = %+v, %v", got, err)
			}
			w.hook = nil
			clear(w.refuse)
			again, err := f.task(t.Context(), then)
			if err != nil || again[0].Outcome != want {
				t.Fatalf("%s = %+v, %v, want %s", then, again, err, want)
			}
			w.settled(t, f, "alpha", "running")
		})
	}
}

// TestADeletionThatGoesOnIsNoFailureYet has a gateway that gives up on a deletion and is at it still: what is there now may be gone
// in a moment, so nothing that could bring it back is thrown away.
func TestADeletionThatGoesOnIsNoFailureYet(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.hook = func(op string) {
		if op == "delete" {
			w.sandboxes["id-alpha"].Phase, w.refuse["delete"] = "Deleting", "it takes its time"
		}
	}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "is deleting sandbox") {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	if _, kept := w.engine.Committed(got[0].RollbackImage); !kept {
		t.Error("the rollback image is gone")
	}
	w.hook = nil
	clear(w.refuse)
	if err := w.delete("id-alpha"); err != nil { // now it is done
		t.Fatal(err)
	}
	again, err := f.task(t.Context(), "rollback")
	if err != nil || again[0].Outcome != RolledBack {
		t.Fatalf("rollback = %+v, %v", again, err)
	}
	w.settled(t, f, "alpha", "running")
}

func TestWithoutItsRollbackImageItComesBackFromImageAndBackup(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.engine.AddImage("old:1", oldImage)
	w.fails("create", "quota exceeded")
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || !got[0].Unfinished {
		t.Fatal(got, err)
	}
	if err := f.engine.RemoveImage(t.Context(), got[0].RollbackImage); err != nil {
		t.Fatal(err)
	}
	w.fails("create", "")
	again, err := f.task(t.Context(), "rollback")
	if err != nil || again[0].Outcome != RolledBack || !slices.ContainsFunc(again[0].Warnings, func(s string) bool { return strings.Contains(s, "is gone: it is made from") }) {
		t.Fatalf("rollback = %+v, %v", again, err)
	}
	if c := w.settled(t, f, "alpha", "running"); c.ImageID != oldImage {
		t.Errorf("it runs from %s, want the image it came from", c.ImageID)
	}
}

func TestInterruptedAfterTheDeletionGoesBack(t *testing.T) {
	w := startWorld(t, "running", "alpha", "beta")
	f := w.fit(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the operator pressed Ctrl-C")
	f.Progress = func(_ string, step Step, _ string) {
		if step == StepDeleted {
			cancel(why)
		}
	}
	got, err := f.upgrade(ctx, "alpha", "beta")
	if err != nil || got[0].Outcome != RolledBack || !strings.Contains(got[0].Reason, why.Error()) {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	if got[1].Outcome != Failed || got[1].Unfinished || !strings.Contains(got[1].Reason, "before its turn") {
		t.Errorf("the second = %+v, want that its turn did not come", got[1])
	}
	w.settled(t, f, "alpha", "running")
	w.settled(t, f, "beta", "running")
}
