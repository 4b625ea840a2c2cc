package upgrade

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// noSwitch is a gateway of before 0.0.105, which neither stops nor starts.
type noSwitch struct{}

func (noSwitch) StopSandbox(context.Context, sandbox.Sandbox) error {
	return fmt.Errorf("StopSandbox: %w", openshell.ErrUnsupported)
}

func (noSwitch) StartSandbox(context.Context, sandbox.Sandbox) error {
	return fmt.Errorf("StartSandbox: %w", openshell.ErrUnsupported)
}

// TestTheEngineStopsWhereNoGatewayDoes: a gateway that is too old, and a sandbox in a phase that leads nowhere, hold no upgrade up.
func TestTheEngineStopsWhereNoGatewayDoes(t *testing.T) {
	for what, arrange := range map[string]func(*world, *fitted){
		"an old gateway": func(_ *world, f *fitted) { f.Switch = noSwitch{} },
		"in Error":       func(w *world, _ *fitted) { w.sandboxes["id-alpha"].Phase = "Error" },
	} {
		t.Run(what, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			arrange(w, f)
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != Upgraded {
				t.Fatalf("upgrade = %+v, %v", got, err)
			}
			w.settled(t, f, "alpha", "running")
		})
	}
}

// TestNoPairIsStoppedByTheEngine: a gateway that does not stop it keeps the upgrade from beginning.
func TestNoPairIsStoppedByTheEngine(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Switch = noSwitch{}
	j, err := f.job(t.Context(), &Entry{Name: "alpha", Gateway: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := j.containerOf(t.Context(), "id-alpha")
	if err != nil {
		t.Fatal(err)
	}

	for _, act := range []func() error{
		func() error { return j.stopByEngine(t.Context(), "id-alpha", c, openshell.ErrUnsupported) },
		func() error { stopped := c; stopped.State = "exited"; return j.rouse(t.Context(), "id-alpha", stopped) },
	} {
		c.Labels = map[string]string{engine.LabelRole: "sandbox"}
		if err := act(); !errors.Is(err, openshell.ErrUnsupported) {
			t.Errorf("one of a pair: %v", err)
		}
	}
	j.Workspace = "team2"
	if err := j.stopByEngine(t.Context(), "id-alpha", c, nil); err == nil || !strings.Contains(err.Error(), `("openshell sandbox stop alpha -g gw --workspace team2")`) {
		t.Errorf("its own command: %v", err)
	}
	w.settled(t, f, "alpha", "running")
}

// TestACompanionIsNoRival: since 0.1.0 two containers have a sandbox's id, and one of them is the sandbox.
func TestACompanionIsNoRival(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	labels := sandboxLabels("alpha", "id-alpha")
	labels[engine.LabelRole] = "supervisor"
	w.engine.Add(dockertest.Container{ID: "cc00000000000000000000000000000000000000000000000000000000000000", Name: "companion", Labels: labels, State: "running"})
	f := w.fit(t)
	j, err := f.job(t.Context(), &Entry{Name: "alpha", Gateway: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := j.containerOf(t.Context(), "id-alpha"); err != nil || c.Name != "openshell-alpha-id-alpha" {
		t.Errorf("its container is %q, %v", c.Name, err)
	}
}

// TestPhasesAreKept: what ran is Ready afterwards, what was Stopped is Stopped, and never in Error.
func TestPhasesAreKept(t *testing.T) {
	for state, want := range map[string]string{"running": "Ready", "exited": "Stopped"} {
		w := startWorld(t, state, "alpha")
		f := w.fit(t)
		if got, err := f.upgrade(t.Context(), "alpha"); err != nil || got[0].Outcome != Upgraded {
			t.Fatalf("upgrade = %+v, %v", got, err)
		}
		if now := w.list(); len(now) != 1 || now[0].Phase != want {
			t.Errorf("%s: its gateway says %+v, want %s", state, now, want)
		}
	}
}
