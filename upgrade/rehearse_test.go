package upgrade

import (
	"slices"
	"strings"
	"testing"

	"sandkeeper/driver"
)

// rehearsing is an upgrader that rehearses, in a world with alpha.
func rehearsing(t *testing.T) (*world, *fitted) {
	t.Helper()
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Rehearsals = IdleRehearsal
	return w, f
}

// TestARehearsalComesFirst: throw-away sandboxes from the new image and from a rollback image come and go while the old one runs. None of
// them has a value or a file of the agent.
func TestARehearsalComesFirst(t *testing.T) {
	w, f := rehearsing(t)
	made := 0
	w.hook = func(op string) {
		if op != "delete" || w.sandboxes["id-alpha"] == nil || len(w.sandboxes) != 2 {
			return
		}
		made++
		for id, b := range w.sandboxes {
			if id == "id-alpha" {
				continue
			}
			c, _ := w.container(id)
			if b.Name == "alpha" || b.Labels[driver.LabelRehearsal] != "alpha" || homeOf(c.Files)["/sandbox/notes.md"] != "" || len(b.Name) > 19 {
				t.Errorf("the throw-away sandbox is %+v with %v", b.Record, homeOf(c.Files))
			}
			if spec := string(w.recipes[id].Spec); strings.Contains(spec, "s3cret") || !strings.Contains(spec, "from the future") {
				t.Errorf("its spec is %q", spec)
			}
			if old, _ := w.container("id-alpha"); old.State != "running" {
				t.Errorf("the old one is %s", old.State)
			}
		}
	}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != Upgraded || made != 2 {
		t.Fatalf("upgrade = %+v, %v after %d throw-away sandboxes", got, err, made)
	}
	w.settled(t, f, "alpha", "running")
	if steps := f.steps.seen; !slices.Contains(steps, StepRehearsed) || slices.Index(steps, StepRehearsed) > slices.Index(steps, StepStopping) {
		t.Errorf("steps %v", steps)
	}
}

// TestWhatARehearsalFindsCostsNothing: what the gateway refuses is said in its words, and the old sandbox has not noticed.
func TestWhatARehearsalFindsCostsNothing(t *testing.T) {
	for what, arrange := range map[string]func(*world){
		"bind mounts are off": func(w *world) { w.refuse["create"] = "bind mounts are off" },
		`"Error"`:             func(w *world) { w.phases = []string{"Provisioning", "Error"} },
	} {
		t.Run(what, func(t *testing.T) {
			w, f := rehearsing(t)
			before := w.containers()[0].ID
			arrange(w)
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != Failed || got[0].Step != StepRehearsing || got[0].Unfinished ||
				!strings.Contains(got[0].Reason, what) || !strings.HasSuffix(got[0].Reason, "nothing was touched") {
				t.Errorf("upgrade = %+v, %v", got, err)
			}
			if now := w.settled(t, f, "alpha", "running"); now.ID != before || slices.Contains(w.log, "stop") {
				t.Errorf("container %s became %s, asked %v", before, now.ID, w.log)
			}
		})
	}
}

// TestTheNextRunRemovesWhatARehearsalLeft: a run that was killed, or could not clean up, holds nobody up, and its throw-away sandbox goes.
func TestTheNextRunRemovesWhatARehearsalLeft(t *testing.T) {
	for _, then := range []string{"upgrade", "resume", "rollback"} {
		t.Run(then, func(t *testing.T) {
			w, f := rehearsing(t)
			w.fails("delete", "not now")
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != Failed || !got[0].Unfinished || !strings.Contains(got[0].Reason, "could not be removed: not now") {
				t.Fatalf("upgrade = %+v, %v", got, err)
			}
			if len(w.list()) != 2 {
				t.Fatalf("the gateway lists %+v", w.list())
			}
			w.fails("delete", "")
			if _, err := f.task(t.Context(), then); err != nil {
				t.Fatal(err)
			}
			w.settled(t, f, "alpha", "running")
		})
	}
}
