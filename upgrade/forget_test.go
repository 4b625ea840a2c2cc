package upgrade

import (
	"errors"
	"os"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
)

// TestForgettingNamesAndKeeps: backup, image and container are named and stay, the record lies beside the journal, and the sandbox can be
// upgraded anew.
func TestForgettingNamesAndKeeps(t *testing.T) {
	w, f := left(StepSettled)(t)
	pending, err := Peek(f.Journal.Dir())
	if err != nil || len(pending) != 1 {
		t.Fatalf("Peek = %+v, %v", pending, err)
	}
	p := &pending[0]
	if _, err := p.Forget(f.Journal.Dir(), "run9"); !errors.Is(err, ErrJournalBusy) {
		t.Errorf("while its run lives: %v", err)
	}
	if err := f.Journal.Close(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, l := range p.Leftovers(t.Context(), f.engine) {
		said += l.Kind + " " + l.Name + " " + l.Detail + "\n"
	}
	for _, want := range []string{"backup " + p.Backup, "image " + p.RollbackImage, "container openshell-alpha-id-new-1 of the sandbox that this upgrade has made, running"} {
		if !strings.Contains(said, want) {
			t.Errorf("what is left does not say %q:\n%s", want, said)
		}
	}
	path, err := p.Forget(f.Journal.Dir(), "run9")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), p.Backup) {
		t.Errorf("the record that was kept: %s, %v", text, err)
	}
	if _, kept := w.engine.Committed(p.RollbackImage); !kept || len(w.containers()) != 1 {
		t.Error("something was removed")
	}
	if got, err := f.upgrade(t.Context(), "alpha"); err != nil || got[0].Outcome != Upgraded {
		t.Errorf("a new upgrade = %+v, %v", got, err)
	}
}

// TestWhatIsHalfMadeIsNamed: a run was killed while it made the rollback image, another while it rehearsed. Giving up names what is there of
// it; where the old container is gone meanwhile, half an image is all that has its file system.
func TestWhatIsHalfMadeIsNamed(t *testing.T) {
	w, f := left(StepBackedUp)(t)
	if err := f.Journal.Close(); err != nil {
		t.Fatal(err)
	}
	pending, err := Peek(f.Journal.Dir())
	if err != nil || len(pending) != 1 {
		t.Fatalf("Peek = %+v, %v", pending, err)
	}
	p := &pending[0]
	p.Rehearsal = &Rehearsal{Sandbox: "rehearse-1", Image: rollbackPrefix + "rehearse-1:run1"}
	w.engine.Break(dockertest.Fault{Call: "POST /images/load", Status: 500, Body: `{"message":"killed"}`})
	for _, ref := range []string{p.RollbackImage, p.Rehearsal.Image} {
		if _, err := f.engine.Commit(t.Context(), p.OldContainer, ref, engine.Keep{}); err == nil {
			t.Fatal("the image was made")
		}
	}

	w.engine.Heal()
	said := ""
	for _, l := range p.Leftovers(t.Context(), f.engine) {
		said += l.Kind + " " + l.Name + " " + l.Detail + "\n"
	}
	for _, want := range []string{
		"image " + engine.Unfinished(p.RollbackImage) + " holds the file system of the old sandbox", "image " + engine.Unfinished(p.Rehearsal.Image),
		"sandbox rehearse-1 ", "openshell sandbox delete rehearse-1 -g gw",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("what is left does not say %q:\n%s", want, said)
		}
	}

	w.gone(t, "id-alpha")
	got, err := f.task(t.Context(), "rollback")
	half := engine.Unfinished(p.RollbackImage)
	if err != nil || got[0].RollbackImage != half || !strings.Contains(got[0].Reason, "image "+half+" holds its file system") {
		t.Errorf("rollback = %+v, %v", got, err)
	}
}

// TestABegunUpgradeIsNotWrittenOver also where it was left between the look at the journal and the first step.
func TestABegunUpgradeIsNotWrittenOver(t *testing.T) {
	_, f := left(StepSettled)(t)
	if err := f.Journal.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != Failed || !strings.Contains(got[0].Reason, "an earlier upgrade is not finished: \"alpha\" at settled") {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	if entries, err := f.Journal.Entries(); err != nil || len(entries) != 1 || entries[0].Step != StepSettled {
		t.Errorf("the journal has %+v, %v", entries, err)
	}
}
