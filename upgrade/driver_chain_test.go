package upgrade

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

// stamp is an extension that adds one of each.
type stamp struct {
	lifecycle.Defaults
	role string
}

func (s *stamp) BeforeCreate(_ context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	return nil, errors.Join(add.AddLabel("fleet", s.role), add.AddEnv("ROLE", s.role),
		add.AddMount(lifecycle.Mount{Source: "shared", Target: "/shared", ReadOnly: true}))
}

func (s *stamp) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

func (s *stamp) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

func (s *stamp) Reconcile(context.Context, lifecycle.Sandbox, *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	return lifecycle.ReconcileOutcome{}, nil
}

// TestExtensionsReachTheGateway rebuilds a sandbox twice under a chain: what the extension adds is there, once, as it is today.
func TestExtensionsReachTheGateway(t *testing.T) {
	store, err := lifecycle.OpenStore(filepath.Join(t.TempDir(), "state.db"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	extension := &stamp{role: "first"}
	chain, err := lifecycle.NewChain(lifecycle.Options{Links: []lifecycle.Link{{Name: "stamp", Extension: extension}}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, "0.1.2", oneSandbox(map[string]string{"team": "red"}))
	driver := chain.Wrap(d)
	for _, role := range []string{"first", "second"} {
		extension.role = role
		rebuild(t, chain, driver, d)
		s, err := d.API.GetSandbox(t.Context(), "alpha")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"team": "red", "fleet": role}, s.Labels); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", role, diff)
		}
		recipe, err := s.Recipe()
		want := openshell.Recipe{Image: "img:2", EnvNames: []string{"ROLE", "TOKEN"}, Mounts: []openshell.Mount{{Source: "shared", Target: "/shared", ReadOnly: true}}}
		if diff := cmp.Diff(want, recipe); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", role, err, diff)
		}
	}
}

func rebuild(t *testing.T, chain *lifecycle.Chain, driver lifecycle.Driver, d *APIDriver) {
	t.Helper()
	request := requestFor(t, d, "img:2")
	recipe, err := d.Recipe(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	old := lifecycle.Reference{ID: recipe.SandboxID, Name: "alpha", Gateway: "gw"}
	if request, err = chain.Baseline(request, old); err != nil {
		t.Fatal(err)
	}
	if err := driver.DeleteSandbox(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if _, err := driver.CreateSandbox(t.Context(), request); err != nil {
		t.Fatal(err)
	}
}
