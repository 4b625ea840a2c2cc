package upgrade

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

const keptImage = rollbackPrefix + "alpha:run1"

// atDeletion is the job of sandbox alpha as it is when everything is saved and the old sandbox is about to be deleted.
func atDeletion(t *testing.T, state string) (*world, *job) {
	t.Helper()
	w := startWorld(t, state, "alpha")
	f := w.fit(t)
	all, err := f.engine.Sandboxes(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	c, err := f.engine.Inspect(t.Context(), all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	j, err := f.job(t.Context(), &Entry{
		Name: "alpha", Workspace: "team2", Gateway: "gw", Way: ByRecipe, OldID: "id-alpha", OldContainer: c.ID, ContainerName: c.Name, SavedSince: c.Started,
		RollbackImage: keptImage, Image: "img:1", Step: StepDeleting,
	})
	if err == nil {
		_, err = f.engine.Commit(t.Context(), c.ID, keptImage, engine.Keep{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w, j
}

// idle deletes nothing, and says that it did.
type idle struct{ lifecycle.Driver }

func (idle) DeleteSandbox(context.Context, lifecycle.Reference) error { return nil }

// Whatever is not as it has to be when the old sandbox is to be deleted, it is not deleted.
func TestWhatStopsADeletion(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, w *world, j *job)
		says   string
	}{
		"no rollback image": {func(t *testing.T, _ *world, j *job) {
			if err := j.Engine.RemoveImage(t.Context(), keptImage); err != nil {
				t.Fatal(err)
			}
		}, "without its rollback image nothing is deleted"},
		"another id":   {func(_ *testing.T, _ *world, j *job) { j.OldID = "id-before" }, `sandbox "team2/alpha" has another id now`},
		"still listed": {func(_ *testing.T, _ *world, j *job) { j.driver = idle{j.driver} }, `sandbox "team2/alpha" is still listed after it was deleted`},
	} {
		t.Run(name, func(t *testing.T) {
			w, j := atDeletion(t, "exited")
			tc.change(t, w, j)
			if err := j.deleteOld(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if slices.Contains(w.log, "delete") || len(w.containers()) != 1 {
				t.Errorf("it was deleted: %q", w.log)
			}
		})
	}
	w, j := atDeletion(t, "exited")
	if err := j.deleteOld(t.Context()); err != nil || !slices.Contains(w.log, "delete") || len(w.containers()) != 0 {
		t.Errorf("with all as it has to be: %v, %q", err, w.log)
	}
}

// What came in the old sandbox's place is not gone as long as it is listed.
func TestTheWayBackLooksWhetherItWasDeleted(t *testing.T) {
	_, j := atDeletion(t, "exited")
	j.driver, j.NewID, j.Step = idle{j.driver}, "id-alpha", StepRollingBack
	if err := j.clearOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "still listed after it was deleted") {
		t.Errorf("got %v", err)
	}
}

// A sandbox that is there under its old id is not a new one.
func TestTheOldSandboxIsNotTakenForTheNewOne(t *testing.T) {
	w, j := atDeletion(t, "running")
	if err := j.create(t.Context()); err == nil || !strings.Contains(err.Error(), "listed again under its old id") || j.NewID != "" {
		t.Errorf("got %v, new id %q", err, j.NewID)
	}
	if slices.Contains(w.log, "create") {
		t.Error("another was created beside it")
	}
}

// Between the plan and its turn a sandbox may have become another one, or been paused.
func TestTheSecondLook(t *testing.T) {
	_, j := atDeletion(t, "running")
	if err := j.lookAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.OldID = "id-before"
	if err := j.lookAgain(t.Context()); err == nil || !strings.Contains(err.Error(), "no longer the one that was planned for") {
		t.Errorf("another id: %v", err)
	}
	w, j := atDeletion(t, "paused")
	w.sandboxes["id-alpha"].Phase = "Ready"
	if err := j.lookAgain(t.Context()); err == nil || !strings.Contains(err.Error(), "is paused") {
		t.Errorf("paused: %v", err)
	}
}

// Ready is the sandbox that was made, in that phase, with a container that runs.
func TestWhatReadyIs(t *testing.T) {
	for name, tc := range map[string]struct {
		state, phase, id string
		ready            bool
	}{
		"ready":                  {"running", "Ready", "id-alpha", true},
		"another id":             {"running", "Ready", "id-new", false},
		"on its way":             {"running", "Provisioning", "id-alpha", false},
		"its container does not": {"exited", "Ready", "id-alpha", false},
	} {
		t.Run(name, func(t *testing.T) {
			w, j := atDeletion(t, tc.state)
			w.sandboxes["id-alpha"].Phase, j.NewID, w.blind = tc.phase, tc.id, true
			err := j.condition(t.Context())
			if _, not := errors.AsType[*driver.NotReadyError](err); not == tc.ready || tc.ready != (err == nil) {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), `sandbox "team2/alpha" is not Ready`) {
				t.Errorf("it does not say which: %v", err)
			}
		})
	}
}

// differing is content that is not as its backup.
type differing struct {
	Content
	found Differences
}

func (d differing) Compare(context.Context, sandbox.Sandbox, string, bool) (Differences, error) {
	return d.found, nil
}

// One path that is missing, or has changed, is enough.
func TestAnyDifferenceCounts(t *testing.T) {
	for name, found := range map[string]Differences{"missing": {Missing: []string{"a"}}, "changed": {Changed: []string{"a"}}} {
		_, j := atDeletion(t, "exited")
		j.NewID, j.Content = "id-alpha", differing{j.Content, found}
		if err := j.compare(t.Context()); err == nil || !strings.Contains(err.Error(), "1 "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A step that cannot be written down is not taken.
func TestNoStepWithoutItsRecord(t *testing.T) {
	_, j := atDeletion(t, "exited")
	shelf := upgrades(j.Journal.Dir()).Dir()
	if err := errors.Join(os.RemoveAll(shelf), os.MkdirAll(filepath.Dir(shelf), 0o700), os.WriteFile(shelf, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	taken := false
	at, err := j.advance(t.Context(), []move{{StepStopping, StepStopped, func(*job, context.Context) error {
		taken = true
		return nil
	}}})
	if err == nil || at != StepStopping || taken {
		t.Errorf("at %s, taken %v: %v", at, taken, err)
	}
}

// A run that was killed may have made the image already; a second one under its name would leave the first without any.
func TestAnEarlierRollbackImageGoesFirst(t *testing.T) {
	w, j := atDeletion(t, "exited")
	before := len(w.engine.Calls())
	if err := j.keepImage(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := strings.Join(w.engine.Calls()[before:], "\n")
	removed, made := strings.Index(calls, "DELETE"), strings.Index(calls, "commit")
	if removed < 0 || made < removed {
		t.Errorf("calls:\n%s", calls)
	}
}

// nameless is a driver whose gateway makes something and does not say what.
type nameless struct{ lifecycle.Driver }

func (nameless) CreateSandbox(context.Context, lifecycle.Request) (lifecycle.Record, error) {
	return lifecycle.Record{}, nil
}

func TestACreationWithoutAnIDIsNone(t *testing.T) {
	w, j := atDeletion(t, "exited")
	request, err := w.recipes["id-alpha"].Request()
	if err := errors.Join(err, j.deleteOld(t.Context())); err != nil {
		t.Fatal(err)
	}
	j.Request, j.driver = request, nameless{j.driver}
	if err := j.create(t.Context()); err == nil || !strings.Contains(err.Error(), "gave it no id") || j.NewID != "" {
		t.Errorf("got %v, new id %q", err, j.NewID)
	}
}

// A deletion whose answer was lost may come about after the first look.
func TestALateDeletionIsWaitedFor(t *testing.T) {
	w, j := atDeletion(t, "exited")
	j.Settle, j.DeleteRequested = 5*time.Second, true
	looked := make(chan struct{})
	w.hook = func(string) {
		if w.hook = nil; w.sandboxes["id-alpha"] != nil {
			close(looked)
		}
	}
	go func() {
		<-looked
		time.Sleep(20 * time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = w.delete("id-alpha")
	}()
	if whole, err := j.stillWhole(t.Context()); err != nil || whole {
		t.Errorf("whole: %v, %v", whole, err)
	}
}

// What this upgrade did not make is not deleted on its way back.
func TestTheWayBackDeletesOnlyItsOwn(t *testing.T) {
	w, j := atDeletion(t, "running")
	w.sandboxes["id-alpha"].ID, j.NewID, j.FailedAt, j.Step = "id-another", "id-new", StepRestoring, StepRollingBack
	if err := j.clearOnce(t.Context()); !errors.Is(err, errForeign) || slices.Contains(w.log, "delete") {
		t.Errorf("got %v, the gateway was asked: %q", err, w.log)
	}
}
