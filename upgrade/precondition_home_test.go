package upgrade

import (
	"context"
	"errors"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/lifecycle"
)

// elsewhere is an engine whose sandboxes have their home at /work/agent.
type elsewhere struct{ Engine }

func (e elsewhere) Inspect(ctx context.Context, id string) (engine.Container, error) {
	c, err := e.Engine.Inspect(ctx, id)
	c.Command = []string{"/opt/openshell/bin/openshell-sandbox", "--workdir", "/work/agent"}
	return c, err
}

func (elsewhere) ImageWorkdir(context.Context, string) (string, error) { return "/work/agent", nil }

// mounting tries to mount over the sandbox's home and above it.
type mounting struct {
	added
	refusals []error
}

func (m *mounting) BeforeCreate(_ context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	for _, target := range []string{"/work/agent", "/work"} {
		m.refusals = append(m.refusals, add.AddMount(lifecycle.Mount{Source: "/srv", Target: target}))
	}
	return nil, nil
}

// An extension may not mount over the home of the sandbox at hand, wherever that is.
func TestNoExtensionMountsOverTheHomeOfTheSandboxAtHand(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Engine = elsewhere{f.Engine}
	e := &mounting{}
	f.extend(t, e)
	targets, _ := f.targets(t.Context(), "alpha")
	ready, refused, err := f.Preconditions(t.Context(), targets)
	if err != nil || len(ready) != 1 {
		t.Fatal(refused, err)
	}
	if _, err := f.Chain.Wrap(refusing{}).CreateSandbox(t.Context(), ready[0].Request); err == nil {
		t.Fatal("the gateway was expected to refuse")
	}
	if len(e.refusals) != 2 || !errors.Is(e.refusals[0], lifecycle.ErrRefusedAddition) || !errors.Is(e.refusals[1], lifecycle.ErrRefusedAddition) {
		t.Errorf("home %q: %v", ready[0].Request.Home, e.refusals)
	}
}

// refusing is a gateway that creates nothing.
type refusing struct{ lifecycle.Driver }

func (refusing) CreateSandbox(context.Context, lifecycle.Request) (lifecycle.Record, error) {
	return lifecycle.Record{}, errors.New("no")
}
