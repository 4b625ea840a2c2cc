package driver

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/test/e2e/gateway"
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
		recipe, err := s.ReadSpec()
		want := openshell.Spec{Image: "img:2", EnvNames: []string{"ROLE", "TOKEN"}, Mounts: []openshell.Mount{{Source: "shared", Target: "/shared", ReadOnly: true}}}
		if diff := cmp.Diff(want, recipe); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", role, err, diff)
		}
	}
}

func rebuild(t *testing.T, chain *lifecycle.Chain, driver lifecycle.Driver, d *API) {
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

// TestRemovedExtensionLeavesNothing rebuilds a sandbox with an extension, and then again after the operator has taken the extension out
// of the configuration, alone or beside another: what it had added is gone, and what the operator set is as it was.
func TestRemovedExtensionLeavesNothing(t *testing.T) {
	theirs := openshell.Mount{Source: "/srv", Target: "/data"}
	spec, err := openshell.Changes{Driver: "docker", Mounts: []openshell.Mount{theirs}}.Apply(specOf("img:1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]lifecycle.Link{
		"none is left":    nil,
		"another is left": {{Name: "other", Extension: &labeller{}}},
	} {
		t.Run(name, func(t *testing.T) {
			backend := oneSandbox(map[string]string{"team": "red"})
			backend.Memory = gateway.NewMemory(gateway.Sandbox{
				ID: "id-a", Name: "alpha", Phase: gateway.Ready, Labels: map[string]string{"team": "red"}, Spec: spec,
			})
			d := open(t, "0.1.2", backend)
			store, err := lifecycle.OpenStore(filepath.Join(t.TempDir(), "state.db"), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			before := lifecycle.Link{Name: "stamp", Extension: &stamp{role: "first"}}
			for _, links := range [][]lifecycle.Link{append([]lifecycle.Link{before}, left...), left} {
				chain, err := lifecycle.NewChain(lifecycle.Options{Links: links, Store: store})
				if err != nil {
					t.Fatal(err)
				}
				rebuild(t, chain, chain.Wrap(d), d)
			}
			s, err := d.API.GetSandbox(t.Context(), "alpha")
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{"team": "red"}
			if left != nil {
				labels["other"] = "yes"
			}
			if diff := cmp.Diff(labels, s.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			recipe, err := s.ReadSpec()
			want := openshell.Spec{Image: "img:2", EnvNames: []string{"TOKEN"}, Mounts: []openshell.Mount{theirs}}
			if diff := cmp.Diff(want, recipe); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// labeller is an extension that adds one label.
type labeller struct{ stamp }

func (*labeller) BeforeCreate(_ context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	return nil, add.AddLabel("other", "yes")
}

// TestRequestThatDoesNotSpeakOfMounts leaves them as the recipe has them: a journal of an earlier build holds such requests.
func TestRequestThatDoesNotSpeakOfMounts(t *testing.T) {
	theirs := openshell.Mount{Source: "/srv", Target: "/data"}
	spec, err := openshell.Changes{Driver: "docker", Mounts: []openshell.Mount{theirs}}.Apply(specOf("img:1"))
	if err != nil {
		t.Fatal(err)
	}
	recipe := Recipe{Name: "alpha", Spec: spec}
	for name, c := range map[string]struct {
		wanted      []lifecycle.Mount
		added, gone []openshell.Mount
	}{
		"does not say": {},
		"as it was":    {wanted: []lifecycle.Mount{lifecycle.Mount(theirs)}},
		"none":         {wanted: []lifecycle.Mount{}, gone: []openshell.Mount{theirs}},
		"another":      {wanted: []lifecycle.Mount{{Source: "v", Target: "/data"}}, added: []openshell.Mount{{Source: "v", Target: "/data"}}, gone: []openshell.Mount{theirs}},
	} {
		added, gone, err := mountChanges(recipe, c.wanted)
		if err != nil || !slices.Equal(added, c.added) || !slices.Equal(gone, c.gone) {
			t.Errorf("%s: added %v, gone %v, %v", name, added, gone, err)
		}
	}
	if _, _, err := mountChanges(Recipe{Name: "alpha", Spec: []byte("nonsense")}, []lifecycle.Mount{}); err == nil {
		t.Error("a spec that is none passes")
	}
}
