package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sandkeeper/backup/archive"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Gateways opens the API of each gateway once, when it is first asked for. Its methods are what an Upgrader is wired
// with.
type Gateways struct {
	// Open connects to a gateway, as openshell.Connect does.
	Open func(ctx context.Context, gateway string) (*openshell.API, error)
	// Added is what extensions added to a sandbox, by its id, for the recipe that a backup keeps; nil: none ever did.
	Added func(id string) []lifecycle.Addition

	mu    sync.Mutex
	doors map[string]*door
}

// door is the way to one gateway: who waits for one does not keep others from theirs.
type door struct {
	mu  sync.Mutex
	api *openshell.API
}

func (g *Gateways) door(gateway string) *door {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.doors == nil {
		g.doors = map[string]*door{}
	}
	if g.doors[gateway] == nil {
		g.doors[gateway] = &door{}
	}
	return g.doors[gateway]
}

var _ Recipes = (*Gateways)(nil)

// API is the open API of a gateway. A connection that could not be made is tried again when it is next asked for.
func (g *Gateways) API(ctx context.Context, gateway string) (*openshell.API, error) {
	d := g.door(gateway)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.api != nil {
		return d.api, nil
	}
	api, err := g.Open(ctx, gateway)
	d.api = api
	return api, err
}

// Place is a workspace of a gateway: names of sandboxes and providers are unique in one. An empty Workspace is the one
// that the CLI works in; a gateway without workspaces has one, whatever is said.
type Place struct{ Gateway, Workspace string }

// WorkspaceName is the workspace by its name: OpenShell's default one where none is said.
func (p Place) WorkspaceName() string { return cmp.Or(p.Workspace, sandbox.DefaultWorkspace) }

// in is the open API of a gateway, for one of its workspaces.
func (g *Gateways) in(ctx context.Context, at Place) (*openshell.API, error) {
	api, err := g.API(ctx, at.Gateway)
	if err != nil {
		return nil, err
	}
	return api.In(at.Workspace), nil
}

// Driver is the compute driver of a workspace.
func (g *Gateways) Driver(ctx context.Context, at Place) (lifecycle.Driver, error) {
	api, err := g.in(ctx, at)
	if err != nil {
		return nil, err
	}
	return &API{API: api}, nil
}

// Lister is a driver that lists the sandboxes of every workspace of a gateway that it may see.
func (g *Gateways) Lister(ctx context.Context, gateway string) (lifecycle.Driver, error) {
	api, err := g.API(ctx, gateway)
	if err != nil {
		return nil, err
	}
	return &API{API: api, Everywhere: true}, nil
}

// Recipe reads the recipe of a sandbox from its gateway.
func (g *Gateways) Recipe(ctx context.Context, at Place, name string) (Recipe, error) {
	api, err := g.in(ctx, at)
	if err != nil {
		return Recipe{}, err
	}
	return (&API{API: api}).Recipe(ctx, name)
}

// RecipeOf reads the recipe of a sandbox in its own workspace. A recipe of another sandbox under its name is an error.
func (g *Gateways) RecipeOf(ctx context.Context, sb sandbox.Sandbox) (Recipe, error) {
	r, err := g.Recipe(ctx, Place{sb.Gateway, sb.Workspace}, sb.Name)
	if err != nil {
		return Recipe{}, err
	}
	if sb.ID != "" && r.SandboxID != sb.ID {
		return Recipe{}, fmt.Errorf("gateway %q has another sandbox under the name %q: id %s, not %s", sb.Gateway, sb.Name, r.SandboxID, sb.ID)
	}
	return r, nil
}

// Told is what a backup keeps of a recipe: labels, names and the policy for the manifest, never values of the
// environment, and the whole recipe for the file beside it.
func (g *Gateways) Told(ctx context.Context, sb sandbox.Sandbox) (archive.Told, error) {
	r, err := g.RecipeOf(ctx, sb)
	if err != nil {
		return archive.Told{}, err
	}
	told := archive.Told{Image: r.Image, Origin: archive.Origin{Labels: r.Labels, Env: r.EnvNames, Providers: r.Providers}}
	if len(r.Policy) > 0 {
		told.Policy, err = json.Marshal(map[string][]byte{"protobuf": r.Policy}) // as the gateway encodes it, in base64
	}
	if g.Added != nil {
		r.Added = g.Added(r.SandboxID)
	}
	whole, failure := r.Text()
	told.Whole = whole
	return told, errors.Join(err, failure)
}

// MissingProviders returns those of names that the workspace does not have.
func (g *Gateways) MissingProviders(ctx context.Context, at Place, names []string) ([]string, error) {
	api, err := g.in(ctx, at)
	if err != nil {
		return nil, err
	}
	have, err := api.Providers(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(have, name) }), nil
}

// Close ends every connection.
func (g *Gateways) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for gateway, d := range g.doors {
		d.mu.Lock()
		if d.api != nil {
			errs = append(errs, d.api.Close())
		}
		d.mu.Unlock()
		delete(g.doors, gateway)
	}

	return errors.Join(errs...)
}
