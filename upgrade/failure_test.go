package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/internal/dockertest"
)

// firstNew is the container of the first sandbox that the world creates.
var firstNew = fmt.Sprintf("ab%062x", 1)

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

// TestAFailureBringsTheOldOneBack makes each stretch of the way fail: the old sandbox is there, whole, and the outcome says so.
func TestAFailureBringsTheOldOneBack(t *testing.T) {
	cases := []struct {
		name    string
		arrange func(*world)
		outcome OutcomeWord
		at      Step
		says    string
	}{
		{"backup fails", func(w *world) {
			w.engine.Break(dockertest.Fault{Call: "GET /containers/0000000000000000000000000000000000000000000000000000000000000064/archive", Status: 500})
		},
			Failed, StepBackingUp, "nothing was deleted"},
		{"the image cannot be kept", func(w *world) {
			w.engine.Break(dockertest.Fault{Call: "POST /commit", Status: 500, Body: `{"message":"no space"}`})
		},
			Failed, StepKeepingImage, "no space"},
		{"delete refused", func(w *world) { w.once("delete") }, Failed, StepDeleting, "delete refused; nothing was deleted"},
		{"create refused", func(w *world) { w.once("create") }, RolledBack, StepCreating, "create refused"},
		{"never Ready", func(w *world) { w.phases = []string{"Provisioning"} }, RolledBack, StepWaiting, "not Ready within"},
		{"Error instead of Ready", func(w *world) { w.phases = []string{"Provisioning", "Error"} }, RolledBack, StepWaiting, `"Error"`},
		{"Ready, then Error", func(w *world) { w.phases = []string{"Ready", "Ready", "Error"} }, RolledBack, StepSettling, "did not stay so"},
		{"restore fails", func(w *world) {
			w.engine.Break(dockertest.Fault{Call: "PUT /containers/" + firstNew + "/archive", Times: 1, Status: 500})
		},
			RolledBack, StepRestoring, "what was there before is in place again"},
		{"the new one cannot be started again", func(w *world) {
			w.engine.Break(dockertest.Fault{Call: "POST /containers/" + firstNew + "/start", Status: 500})
		},
			RolledBack, StepStarting, "starting container"},
	}
	for _, c := range cases {
		for _, state := range []string{"running", "exited"} {
			if c.at == StepStarting && state == "exited" {
				continue // it is not started
			}
			t.Run(c.name+", "+state, func(t *testing.T) {
				w := startWorld(t, state, "alpha")
				f := w.fit(t)
				c.arrange(w)
				if c.at == StepWaiting {
					f.ReadyLimit = 300 * time.Millisecond
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
	in := ClassifyInput{ImageID: f.engine.ImageID, Inspect: f.engine.Inspect}
	sig := newImages(in.withDefaults()).signal(t.Context(), targets[0].Sandbox)
	if sig.weight != behind || sig.Expected != newImg {
		t.Errorf("the image signal of it is %+v, want behind %s", sig, newImg)
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

func TestASandboxThatSomebodyElseMadeIsLeftAlone(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.fails("create", "quota exceeded")
	if got, err := f.upgrade(t.Context(), "alpha"); err != nil || !got[0].Unfinished {
		t.Fatal(got, err)
	}
	// The journal was at recreating when somebody made a sandbox by hand; then it was set back to rolling-back with a known new id.
	entries, _ := f.Journal.Unfinished()
	entries[0].NewID = "id-new-77"
	if err := f.Journal.Enter(&entries[0], StepRollingBack); err != nil {
		t.Fatal(err)
	}
	w.fails("create", "")
	request, _ := withImage(entries[0].Request, "img:1")
	if _, err := (&remote{socket: w.socket, point: nowhere}).CreateSandbox(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	got, err := f.task(t.Context(), "rollback")
	if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "left alone") || len(w.containers()) != 1 {
		t.Errorf("rollback = %+v, %v", got, err)
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
