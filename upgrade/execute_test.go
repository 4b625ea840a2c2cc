package upgrade

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARebuildGoesThroughEveryStep(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || len(got) != 1 || got[0].Outcome != Upgraded {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	c := w.settled(t, f, "alpha", "running")
	if c.ImageID != newImg {
		t.Errorf("it runs from %s, want the new image", c.ImageID)
	}
	want := []Step{
		StepPlanned, StepPreconditions, StepStopping, StepStopped, StepBackingUp, StepBackedUp, StepKeepingImage, StepImageKept, StepDeleting, StepDeleted,
		StepCreating, StepCreated, StepWaiting, StepReady, StepSettling, StepSettled, StepRestoring, StepRestored, StepComparing, StepCompared,
		StepStarting, StepStarted, StepFinishing, StepDone,
	}
	if diff := cmp.Diff(want, f.steps.seen); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if got[0].Backup == "" || got[0].RollbackImage != "" || got[0].Step != StepDone {
		t.Errorf("outcome = %+v, want a backup and no rollback image", got[0])
	}
}
