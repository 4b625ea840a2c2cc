package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade/classify"
)

// firstNew is the container of the first sandbox that the world creates.
func firstNew() string { return fmt.Sprintf("ab%062x", 1) }

// once makes the next call of an operation fail.
func (w *world) once(op string) {
	struck := false
	w.hook = func(called string) {
		delete(w.refuse, op)
		if called == op && !struck {
			struck = true
			w.refuse[op] = op + " refused"
		}
	}
}

// failure makes one stretch of the way fail.
type failure struct {
	name    string
	arrange func(*world)
	outcome OutcomeWord
	at      Step
	says    string
}

func failures() []failure {
	return []failure{
		{
			"the pull fails", func(w *world) {
				w.engine.AddImage("img:1", "") // it is not here
				w.engine.Publish("img:1", dockertest.Published{Digest: publishedDigest, ID: newImg})
				w.engine.Break(dockertest.Fault{Call: "POST /images/create", Status: 500, Body: `{"message":"no space left"}`})
			},
			Failed, StepPulling, "no space left",
		},
		{
			"backup fails", func(w *world) {
				w.engine.Break(dockertest.Fault{Call: "GET /containers/0000000000000000000000000000000000000000000000000000000000000064/archive", Status: 500})
			},
			Failed, StepBackingUp, "nothing was deleted",
		},
		{
			"the image cannot be kept", func(w *world) {
				w.engine.Break(dockertest.Fault{Call: "POST /commit", Status: 500, Body: `{"message":"no space"}`})
			},
			Failed, StepKeepingImage, "no space",
		},
		{"delete refused", func(w *world) { w.once("delete") }, Failed, StepDeleting, "delete refused; nothing was deleted"},
		{"create refused", func(w *world) { w.once("create") }, RolledBack, StepCreating, "create refused"},
		{"never Ready", func(w *world) { w.phases = []string{"Provisioning"} }, RolledBack, StepWaiting, "not Ready within"},
		{"Error instead of Ready", func(w *world) { w.phases = []string{"Provisioning", "Error"} }, RolledBack, StepWaiting, `"Error"`},
		{"Ready, then Error", func(w *world) { w.phases = []string{"Ready", "Ready", "Error"} }, RolledBack, StepSettling, "did not stay so"},
		{
			"restore fails", func(w *world) {
				w.engine.Break(dockertest.Fault{Call: "PUT /containers/" + firstNew() + "/archive", Times: 1, Status: 500})
			},
			RolledBack, StepRestoring, "what was there before is in place again",
		},
		{
			"the new one cannot be started again", func(w *world) {
				w.engine.Break(dockertest.Fault{Call: "POST /containers/" + firstNew() + "/start", Status: 500})
			},
			RolledBack, StepStarting, "start docker sandbox container",
		},
	}
}

// TestAFailureBringsTheOldOneBack makes each stretch of the way fail: the old sandbox is there, whole, and the outcome says so.
func TestAFailureBringsTheOldOneBack(t *testing.T) {
	for _, c := range failures() {
		for _, state := range []string{"running", "exited"} {
			if c.at == StepStarting && state == "exited" {
				continue // it is not started
			}
			t.Run(c.name+", "+state, func(t *testing.T) {
				w := startWorld(t, state, "alpha")
				f := w.fit(t)
				c.arrange(w)
				if strings.Contains(c.says, "not Ready within") {
					f.ReadyLimit = 4 * time.Second // also for the way back
				}
				got, err := f.upgrade(t.Context(), "alpha")
				if err != nil || got[0].Outcome != c.outcome || got[0].Step != c.at || !strings.Contains(got[0].Reason, c.says) || got[0].Unfinished {
					t.Fatalf("upgrade = %+v, %v, want %s at %s: %s", got, err, c.outcome, c.at, c.says)
				}
				w.engine.Heal()
				if w.settled(t, f, "alpha", state).ImageID == newImg {
					t.Error("it runs from the new image")
				}
				_, kept := w.engine.Committed(got[0].RollbackImage)
				if kept != (c.outcome == RolledBack) {
					t.Errorf("rollback image %q is there: %v", got[0].RollbackImage, kept)
				}
			})
		}
	}
}

// TestWhatDoesNotComeUpAgainIsNotCalledAsItWas: nothing was deleted, but the old sandbox, started again, ends in Error. It stays in the
// journal with its image and its backup, and a later --rollback finds it well.
func TestWhatDoesNotComeUpAgainIsNotCalledAsItWas(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.ReadyLimit = 3 * time.Second
	w.hook = func(op string) {
		switch op {
		case "delete":
			w.refuse["delete"] = "delete refused"
		case "start":
			w.sandboxes["id-alpha"].phases = []string{"Error"}
		}
	}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != Failed || !got[0].Unfinished || strings.Contains(got[0].Reason, "as it was") || !strings.Contains(got[0].Reason, `"Error"`) {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	if _, kept := w.engine.Committed(got[0].RollbackImage); !kept || got[0].Backup == "" {
		t.Errorf("its image is kept: %v; %+v", kept, got[0])
	}
	w.fails("delete", "")
	w.mu.Lock()
	w.hook = nil
	w.sandboxes["id-alpha"].Phase = "Ready" // its gateway has looked again
	w.mu.Unlock()
	got, err = f.task(t.Context(), "rollback")
	if err != nil || got[0].Outcome != RolledBack || got[0].Unfinished {
		t.Fatalf("rollback = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}

func TestASandboxThatWasRolledBackIsStaleStill(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.once("create")
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != RolledBack {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	first := got[0]
	targets, err := f.targets(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	checked, err := classify.Sandboxes(t.Context(), classify.Input{
		Inventory: sandbox.Inventory{Sandboxes: []sandbox.Sandbox{targets[0].Sandbox}},
		ImageID: func(ctx context.Context, _ sandbox.Sandbox, ref string) (string, error) {
			return f.engine.ImageID(ctx, ref)
		},
		Inspect: func(ctx context.Context, sb sandbox.Sandbox) (engine.Container, error) {
			return f.engine.Inspect(ctx, sb.Container.ID)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	behindImage := func(r classify.Reason) bool { return r.Code == classify.CodeImage && r.Expected == newImg }
	if !slices.ContainsFunc(checked.Sandboxes[0].Reasons, behindImage) {
		t.Errorf("the reasons are %+v, want that its image is behind %s", checked.Sandboxes[0].Reasons, newImg)
	}
	again, err := f.upgrade(t.Context(), "alpha")
	if err != nil || again[0].Outcome != Upgraded {
		t.Fatalf("the second upgrade = %+v, %v", again, err)
	}
	if w.settled(t, f, "alpha", "running").ImageID != newImg {
		t.Error("the second upgrade did not take the new image")
	}
	for _, ref := range []string{first.RollbackImage, again[0].RollbackImage} {
		if _, kept := w.engine.Committed(ref); kept {
			t.Errorf("rollback image %q is left over", ref)
		}
	}
}

func TestOneFailureCostsOnlyItself(t *testing.T) {
	w := startWorld(t, "running", "alpha", "beta", "gamma")
	f := w.fit(t)
	w.once("create")
	got, err := f.upgrade(t.Context(), "alpha", "beta", "gamma")
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	s := Summarise(got)
	if s.Totals != (UpgradeTotals{Upgraded: 2, RolledBack: 1}) {
		t.Errorf("totals = %+v, want two upgraded and one rolled back: %+v", s.Totals, got)
	}
	for _, name := range []string{"alpha", "beta", "gamma"} {
		w.settled(t, f, name, "running")
	}
}

func TestAPanicIsOneSandboxesFailure(t *testing.T) {
	w := startWorld(t, "running", "alpha", "beta")
	f := w.fit(t)
	f.Progress = func(name string, step Step, _ string) {
		if name == "alpha" && step == StepCreated {
			panic("broken")
		}
	}
	got, err := f.upgrade(t.Context(), "alpha", "beta")
	if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "internal error: broken") || got[1].Outcome != Upgraded {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	f.Progress = nil
	again, err := f.task(t.Context(), "resume")
	if err != nil || again[0].Outcome != Upgraded {
		t.Fatalf("resume = %+v, %v", again, err)
	}
	w.settled(t, f, "alpha", "running")
}

func TestADriverThatCannotBeHadTouchesNothing(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	targets, err := f.targets(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	ready, _, err := f.Preconditions(t.Context(), targets)
	if err != nil || len(ready) != 1 {
		t.Fatal(ready, err)
	}
	w.fails("list", "connection refused")
	got := f.Execute(t.Context(), ready)
	if got[0].Outcome != Failed || got[0].Step != StepPreconditions || got[0].Unfinished {
		t.Fatalf("Execute = %+v", got)
	}
	w.fails("list", "")
	w.settled(t, f, "alpha", "running")
}
