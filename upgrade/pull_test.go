package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
)

var publishedDigest = "sha256:" + strings.Repeat("d", 64)

// elsewhere moves the new image from the host to its registry.
func (w *world) elsewhere(t *testing.T) {
	t.Helper()
	f := w.fit(t)
	if err := f.engine.RemoveImage(t.Context(), "img:1"); err != nil {
		t.Fatal(err)
	}
	_ = f.Journal.Close()
	w.engine.Publish("img:1", dockertest.Published{Digest: publishedDigest, ID: newImg})
}

func (w *world) pulls() int {
	n := 0
	for _, call := range w.engine.Calls() {
		if strings.HasPrefix(call, "POST /images/create") {
			n++
		}
	}
	return n
}

func TestAnImageThatIsOnlyInItsRegistryIsPulledBeforeAnythingElse(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	w.elsewhere(t)
	f := w.fit(t)
	targets, err := f.targets(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	ready, refused, err := f.Preconditions(t.Context(), targets)
	if err != nil || len(ready) != 1 || ready[0].Pull != publishedDigest || w.pulls() != 0 {
		t.Fatalf("Preconditions = %+v, %+v, %v after %d pulls; want one entry with the digest, and no pull", ready, refused, err, w.pulls())
	}
	if !strings.Contains(fmt.Sprint(ready[0].Warnings), "room for it is not known") {
		t.Errorf("warnings = %q, want that the room is not known", ready[0].Warnings)
	}
	got := f.Execute(t.Context(), ready)
	if got[0].Outcome != Upgraded || got[0].Pull != publishedDigest || w.pulls() != 1 {
		t.Fatalf("Execute = %+v after %d pulls", got, w.pulls())
	}
	want := []Step{StepPlanned, StepPreconditions, StepPulling, StepPulled, StepStopping}
	if diff := cmp.Diff(want, f.steps.seen[:len(want)]); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if c := w.settled(t, f, "alpha", "running"); c.ImageID != newImg {
		t.Errorf("it runs from %s, want the image that was pulled", c.ImageID)
	}
}

func TestWhyAnImageCannotBePulledIsSaid(t *testing.T) {
	registry := func(status int, message string) func(*world) {
		return func(w *world) {
			w.engine.Break(dockertest.Fault{Call: "GET /distribution/", Status: status, Body: message})
		}
	}
	for _, c := range []struct {
		name    string
		arrange func(*world)
		says    string
		fix     string
	}{
		{"not there", func(w *world) { w.engine.Withdraw("img:1") }, "the registry does not have it: manifest unknown", "docker pull img:1"},
		{"not let in", func(w *world) { w.engine.Demand("ann", "secret") }, "does not let us in", "docker login"},
		{"not reached", registry(500, `dial tcp 127.0.0.1:5000: connect: connection refused`), "cannot be reached", "docker pull img:1"},
		{"Podman", registry(404, `Path /v1.41/distribution/img:1/json is not supported`), "the container engine cannot say", "docker pull img:1"},
		{"an engine that is broken", registry(500, "layer store corrupted"), "cannot say whether the registry has it: layer store corrupted", "docker pull img:1"},
		{"built here", func(w *world) {
			r := w.recipes["id-alpha"]
			r.Image, r.Spec = "openshell/sandbox-from:1780391612", specOf("openshell/sandbox-from:1780391612")
			w.recipes["id-alpha"] = r
			w.engine.Publish("openshell/sandbox-from:1780391612", dockertest.Published{Digest: publishedDigest, ID: newImg})
		}, "it was made here: no registry is asked", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			w.elsewhere(t)
			f := w.fit(t)
			c.arrange(w)
			before := len(changing(w.engine.Calls()))
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || len(got) != 1 || len(got[0].Problems) != 1 {
				t.Fatalf("upgrade = %+v, %v, want one problem", got, err)
			}
			p := got[0].Problems[0]
			if p.Code != NeedImage || p.Fix != c.fix || !strings.Contains(p.Detail, c.says) || !strings.Contains(p.Detail, "not on this host") {
				t.Errorf("problem = %+v, want %q and fix %q", p, c.says, c.fix)
			}
			if now := changing(w.engine.Calls()); len(now) != before {
				t.Errorf("the engine was asked to change something: %q", now[before:])
			}
		})
	}
}

func TestAPullThatFailsTouchesNothing(t *testing.T) {
	const create = "POST /images/create"
	for name, c := range map[string]struct {
		fault dockertest.Fault
		says  string
	}{
		"the registry has died since":   {dockertest.Fault{Call: create, Status: 500, Body: "dial tcp: connect: connection refused"}, "cannot be reached"},
		"an error inside of the report": {dockertest.Fault{Call: create, Status: 200, Body: `{"status":"Pulling"}` + "\n" + `{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}`}, "no space left on device"},
		"a report that is cut off":      {dockertest.Fault{Call: create, Cut: 60}, "pulling"},
		"silence":                       {dockertest.Fault{Call: create, Hang: true}, "nothing came for 200ms"},
		"nothing arrived after all":     {dockertest.Fault{Call: create, Status: 200, Body: `{"status":"Status: Image is up to date"}`}, "ended without an error, and yet"},
	} {
		t.Run(name, func(t *testing.T) {
			w := startWorld(t, "running", "alpha", "beta")
			w.elsewhere(t)
			f := w.fit(t)
			if c.fault.Hang {
				f.PullStall = 200 * time.Millisecond
			}
			c.fault.Times = 1
			w.engine.Break(c.fault)
			before := len(changing(w.engine.Calls()))
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != Failed || got[0].Step != StepPulling || got[0].Unfinished || got[0].RollbackImage != "" || !strings.Contains(got[0].Reason, c.says) {
				t.Fatalf("upgrade = %+v, %v, want it failed at pulling: %s", got, err, c.says)
			}
			touched := slices.DeleteFunc(changing(w.engine.Calls())[before:], func(call string) bool {
				return strings.HasPrefix(call, create) || strings.HasPrefix(call, "DELETE /images/sandkeeper-rollback/") // which is not there
			})
			if len(touched) > 0 || slices.Contains(w.log, "delete") {
				t.Errorf("the engine was asked %q, the gateway %q", touched, w.log)
			}
			w.settled(t, f, "alpha", "running")
			f.PullStall = 0
			if got, err := f.upgrade(t.Context(), "beta"); err != nil || got[0].Outcome != Upgraded {
				t.Errorf("the next one = %+v, %v, want it upgraded", got, err)
			}
		})
	}
}

func TestOneImageOfManySandboxesIsAskedForAndPulledOnce(t *testing.T) {
	w := startWorld(t, "running", "alpha", "beta", "gamma")
	w.elsewhere(t)
	f := w.fit(t)
	got, err := f.upgrade(t.Context(), "alpha", "beta", "gamma")
	if err != nil || Summarise(got).Totals.Upgraded != 3 {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	asked := slices.DeleteFunc(w.engine.Calls(), func(call string) bool { return !strings.HasPrefix(call, "GET /distribution/") })
	if len(asked) != 1 || w.pulls() != 1 {
		t.Errorf("the registry was asked %d times, and pulled from %d times, want once each", len(asked), w.pulls())
	}
}

func TestATagThatMovesBetweenPlanAndPullIsSaid(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	w.elsewhere(t)
	f := w.fit(t)
	targets, _ := f.targets(t.Context(), "alpha")
	ready, _, err := f.Preconditions(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Publish("img:1", dockertest.Published{Digest: "sha256:" + strings.Repeat("e", 64), ID: newImg})
	got := f.Execute(t.Context(), ready)
	if got[0].Outcome != Upgraded || !strings.Contains(fmt.Sprint(got[0].Warnings), "another image under img:1 than at planning time: sha256:eee") {
		t.Errorf("Execute = %+v, want a warning", got)
	}
}

func TestInterruptedWhilePulling(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	w.elsewhere(t)
	f := w.fit(t)
	w.engine.Break(dockertest.Fault{Call: "POST /images/create", Hang: true})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the operator pressed Ctrl-C")
	f.Progress = func(_ string, step Step, _ string) {
		if step == StepPulling {
			time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
		}
	}
	got, err := f.upgrade(ctx, "alpha")
	if err != nil || got[0].Outcome != Failed || got[0].Step != StepPulling || got[0].Unfinished || !strings.Contains(got[0].Reason, why.Error()) {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}

// TestKilledAroundThePull kills an upgrade at each point up to the first that touches the sandbox, or, with SANDKEEPER_SOAK=1, at each
// there is, and goes on, or back.
func TestKilledAroundThePull(t *testing.T) {
	for then, want := range map[string]OutcomeWord{"resume": Upgraded, "rollback": RolledBack} {
		t.Run(then, func(t *testing.T) {
			t.Parallel()
			passed := []string{}
			last := "step stopping"
			if os.Getenv("SANDKEEPER_SOAK") == "1" {
				last = "" // it had ended
			}
			for n := 1; !slices.Contains(passed, last); n++ {
				w := startWorld(t, "running", "alpha")
				w.elsewhere(t)
				folder := t.TempDir()
				where := w.killedAt(t, folder, "upgrade", n)
				passed = append(passed, where)
				f, err := fit(t.Context(), folder, w.engine.Host(), w.socket, nowhere)
				if err != nil {
					t.Fatal(err)
				}
				got, err := f.task(t.Context(), then)
				untouched := where == "step planned" || where == "step preconditions" // struck off: a plain run begins anew
				nothing := untouched || where == "" || where == "step done" && len(got) == 0
				finished := where == "step finishing" || where == "before rmi" || where == "after rmi" || where == "step done"
				if err != nil || nothing != (len(got) == 0) || len(got) == 1 && got[0].Outcome != want && !finished {
					t.Errorf("killed at %s, %s = %+v, %v, want %s", where, then, got, err, want)
				}
				w.settled(t, f, "alpha", "running")
				_ = f.Journal.Close()
				if t.Failed() {
					return
				}
			}
			if !slices.Contains(passed, "before pull") || !slices.Contains(passed, "after pull") || !slices.Contains(passed, "step pulled") {
				t.Errorf("it was killed at %q only", passed)
			}
		})
	}
}

// TestTheFixOfAPullIsOfTheSandboxesEngine: an image that docker pulls is not in Podman's store.
func TestTheFixOfAPullIsOfTheSandboxesEngine(t *testing.T) {
	p := &precheck{entry: Entry{EngineID: "podman machine /var/lib/containers 0", EngineHost: "unix:///run/podman/podman.sock"}}
	if got, want := p.pullFix("img:1", errors.New("unknown")), "podman --remote --url unix:///run/podman/podman.sock pull img:1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
