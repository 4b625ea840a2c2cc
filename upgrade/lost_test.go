package upgrade

import (
	"strings"
	"testing"

	"sandkeeper/driver"
	"sandkeeper/internal/dockertest"
)

// meanwhile has somebody do something when an upgrade says that it is at a step.
func (f *fitted) meanwhile(at Step, do func()) {
	f.Progress = func(_ string, step Step, _ string) {
		if step == at {
			do()
		}
	}
}

// gone has somebody delete the sandbox.
func (w *world) gone(t *testing.T, id string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.delete(id); err != nil {
		t.Error(err)
	}
}

// another has somebody make a sandbox of the old one's name.
func (w *world) another(t *testing.T) {
	t.Helper()
	d := &remote{socket: w.socket, point: nowhere}
	recipe := driver.Recipe{Name: "alpha", Gateway: "gw", Image: "img:1", Spec: specOf("img:1")}
	request, err := recipe.Request()
	if _, second := d.CreateSandbox(t.Context(), request); err != nil || second != nil {
		t.Error(err, second)
	}
}

// anew has its gateway make the container of the sandbox again.
func (w *world) anew(t *testing.T, f *fitted) {
	t.Helper()
	old, _ := w.container("id-alpha")
	if err := f.engine.Remove(t.Context(), old.ID); err != nil {
		t.Error(err)
	}
	old.ID = "ab" + strings.Repeat("0", 60) + "63"
	w.engine.Add(old)
}

// TestWhatSomebodyElseDeletedIsNoUnfinishedUpgrade: there is nothing to go on with and nothing to take back, so nothing keeps later
// upgrades from beginning. The sandbox that was put in its place is left alone.
func TestWhatSomebodyElseDeletedIsNoUnfinishedUpgrade(t *testing.T) {
	for _, c := range []struct {
		name string
		at   Step
		do   func(*testing.T, *world, *fitted)
		says string
		left int
	}{
		{"deleted before its turn", StepPlanned, func(t *testing.T, w *world, _ *fitted) { w.gone(t, "id-alpha") }, "no longer the one that was planned for (id id-alpha); nothing was touched", 0},
		{"replaced before its turn", StepPlanned, func(t *testing.T, w *world, _ *fitted) { w.gone(t, "id-alpha"); w.another(t) }, "nothing was touched", 1},
		{"made anew before its turn", StepPlanned, func(t *testing.T, w *world, f *fitted) { w.anew(t, f) }, "is gone; nothing was touched", 1},
		{"deleted before its backup", StepStopped, func(t *testing.T, w *world, _ *fitted) { w.gone(t, "id-alpha") }, "somebody else has deleted it meanwhile", 0},
		{"replaced before its backup", StepStopped, func(t *testing.T, w *world, _ *fitted) { w.gone(t, "id-alpha"); w.another(t) }, "with id id-new-1, which is left alone", 1},
		{"made anew before its image", StepBackedUp, func(t *testing.T, w *world, f *fitted) { w.anew(t, f) }, "was made anew meanwhile", 1},
	} {
		for _, state := range []string{"running", "exited"} {
			t.Run(c.name+", "+state, func(t *testing.T) {
				w := startWorld(t, state, "alpha")
				f := w.fit(t)
				f.meanwhile(c.at, func() { c.do(t, w, f) })
				got, err := f.upgrade(t.Context(), "alpha")
				if err != nil || len(got) != 1 || got[0].Outcome != Failed || got[0].Unfinished || !strings.Contains(got[0].Reason, c.says) {
					t.Fatalf("upgrade = %+v, %v, want it failed: %s", got, err, c.says)
				}
				if strings.Contains(got[0].Reason, "it is as it was") || got[0].RollbackImage != "" {
					t.Errorf("it claims what is not so: %+v", got[0])
				}
				if entries, err := f.Journal.Entries(); err != nil || len(entries) != 0 {
					t.Errorf("the journal still has %+v, %v", entries, err)
				}
				if now := w.containers(); len(now) != c.left {
					t.Errorf("%d containers are left, want %d", len(now), c.left)
				}
			})
		}
	}
}

// TestWhatWasDeletedAfterAKillIsStruckOff: the backup and the image of it are named, and taking back what is gone is no success.
func TestWhatWasDeletedAfterAKillIsStruckOff(t *testing.T) {
	for _, then := range []string{"resume", "rollback"} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		f.killedAt(t, StepImageKept)
		w.gone(t, "id-alpha")
		got, err := f.task(t.Context(), then)
		if err != nil || got[0].Outcome != Failed || got[0].Unfinished || !strings.Contains(got[0].Reason, "backup "+got[0].Backup+" holds its home") {
			t.Fatalf("%s = %+v, %v", then, got, err)
		}
		if _, kept := w.engine.Committed(got[0].RollbackImage); !kept || !strings.Contains(got[0].Reason, "image "+got[0].RollbackImage+" holds") {
			t.Errorf("%s: the image %q is there: %v; %s", then, got[0].RollbackImage, kept, got[0].Reason)
		}
		if entries, err := f.Journal.Entries(); err != nil || len(entries) != 0 {
			t.Errorf("%s: the journal still has %+v, %v", then, entries, err)
		}
	}
}

// TestWhatIsListedWithoutAContainerIsNotGivenUp, nor what nobody can say anything about.
func TestWhatIsListedWithoutAContainerIsNotGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*world)
		says string
	}{
		"listed":          {func(*world) {}, "its gateway lists it still: delete it there if it is not needed"},
		"nobody can tell": {func(w *world) { w.refuse["list"] = "connection refused" }, "connection refused"},
	} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		f.meanwhile(StepStopped, func() {
			old, _ := w.container("id-alpha")
			if err := f.engine.Remove(t.Context(), old.ID); err != nil {
				t.Error(err)
			}
			c.do(w)
		})
		got, err := f.upgrade(t.Context(), "alpha")
		if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, c.says) {
			t.Errorf("%s: upgrade = %+v, %v", name, got, err)
		}
	}
}

// TestGoingBackIsDoneHoweverItBegan: an interrupted run was on its way back already when it was killed.
func TestGoingBackIsDoneHoweverItBegan(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.engine.Break(dockertest.Fault{Call: "POST /commit", Status: 500, Times: 1})
	f.killedAt(t, StepRollingBack)
	got, err := f.task(t.Context(), "rollback")
	if err != nil || got[0].Outcome != RolledBack {
		t.Errorf("rollback = %+v, %v, want what was asked for", got, err)
	}
	w.settled(t, f, "alpha", "running")
}
