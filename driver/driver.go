// Package driver answers one question: how is a sandbox made, found and deleted through its gateway? It is OpenShell's
// API in the shape of a lifecycle.Driver, so that the extension chain can be wrapped around it, and the recipe that the
// API gives is replayed whole.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

// DefaultDeleteLimit is how long a sandbox may take to be gone: the CLI's own limit (OPENSHELL_LIFECYCLE_TIMEOUT,
// docs/facts/openshell.md 1.4).
const DefaultDeleteLimit = 5 * time.Minute

// lookLimit is how long we try to learn what became of a call whose answer was lost.
const lookLimit = 20 * time.Second

// API is the compute driver of one gateway: it creates, deletes, lists and watches sandboxes over the gateway's own
// API. It trusts what it sees afterwards, not what it was answered.
type API struct {
	API         *openshell.API
	DeleteLimit time.Duration // how long a sandbox may take to be gone; 0 is DefaultDeleteLimit
	Interval    time.Duration // between two looks of a watch; 0 is two seconds
	Everywhere  bool          // list every workspace, where the gateway lets us
}

var _ lifecycle.Driver = (*API)(nil)

// CreateSandbox creates the sandbox of a request that Recipe.Request made. The request's labels, annotations,
// environment and mounts are the whole truth. When the answer is lost, the gateway is asked whether the sandbox is
// there: then its record comes beside the error.
func (d *API) CreateSandbox(ctx context.Context, request lifecycle.Request) (lifecycle.Record, error) {
	creation, err := d.creation(ctx, request)
	if err != nil {
		return lifecycle.Record{}, fmt.Errorf("sandbox %q: %w", request.Name, err)
	}
	// Without this, a sandbox that is found after a lost answer could have been there before.
	_, err = d.API.GetSandbox(ctx, request.Name)
	if err == nil {
		return lifecycle.Record{}, text.As(fs.ErrExist, "gateway %q has a sandbox %q already", d.API.Gateway, d.API.Address(request.Name))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return lifecycle.Record{}, err
	}
	created, err := d.API.CreateSandbox(ctx, creation)
	if err == nil {
		return d.record(created), nil
	}
	if answered(err) {
		return lifecycle.Record{}, err
	}
	return d.createdAnyway(ctx, request.Name), err
}

// answered reports whether an error is the gateway's own refusal, so that nothing was created.
func answered(err error) bool {
	refused, ok := errors.AsType[*openshell.CallError](err)
	inexpressible, _ := errors.AsType[*openshell.InexpressibleError](err)
	return inexpressible != nil || ok && !slices.Contains([]string{"Unknown", "Internal", "Aborted", "Canceled", "DataLoss"}, refused.Code) ||
		errors.Is(err, openshell.ErrUnsupported)
}

// createdAnyway looks for a sandbox whose creation was not answered, for as long as the gateway does not answer that
// either; the zero record when there is none, or nobody can say.
func (d *API) createdAnyway(ctx context.Context, name string) lifecycle.Record {
	ctx, cancel := text.Within(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	seen, err := d.API.Wait(ctx, name, func(*openshell.RawSandbox) (bool, error) { return true, nil })
	if err != nil || seen == nil {
		return lifecycle.Record{}
	}
	return d.record(*seen)
}

func (d *API) creation(ctx context.Context, request lifecycle.Request) (openshell.CreateRequest, error) {
	recipe, err := DecodeRecipe(request.Spec)
	if err != nil {
		return openshell.CreateRequest{}, err
	}
	changes := openshell.Changes{Env: request.Env}
	changes.Labels, changes.Unlabelled = labelChanges(recipe.Labels, request.Labels)
	if changes.Env == nil {
		changes.Env = map[string]string{}
	}
	if changes.Mounts, changes.Unmounted, err = mountChanges(recipe, request.Mounts); err != nil {
		return openshell.CreateRequest{}, err
	}
	if len(changes.Mounts) > 0 {
		if changes.Driver, err = d.computeDriver(ctx); err != nil {
			return openshell.CreateRequest{}, err
		}
	}

	spec, err := changes.Apply(recipe.Spec)
	return openshell.CreateRequest{
		Name: request.Name, Workspace: recipe.Workspace, Labels: request.Labels, Annotations: request.Annotations, Spec: spec,
	}, err
}

// labelChanges are the labels that extensions have added since the recipe was read, and those that they gave up. A
// gateway hands the labels of a sandbox's metadata to nobody, so what an extension adds goes to the container by the
// template as well; what the operator gave the sandbox itself stays where it was.
func labelChanges(before, wanted map[string]string) (added map[string]string, gone []string) {
	added = map[string]string{}
	for name, value := range wanted {
		if had, known := before[name]; !known || had != value {
			added[name] = value
		}
	}

	for name := range before {
		if _, stays := wanted[name]; !stays {
			gone = append(gone, name)
		}
	}
	return added, gone
}

// mountChanges are the mounts that extensions have added since the recipe was read, and those that they gave up. A
// request that does not speak of mounts, as one in the journal of an earlier build does not, leaves the recipe's alone.
func mountChanges(recipe Recipe, wanted []lifecycle.Mount) (added, gone []openshell.Mount, err error) {
	if wanted == nil {
		return nil, nil, nil
	}
	before, err := recipe.Mounts()
	if err != nil {
		return nil, nil, err
	}
	for _, m := range wanted {
		if !slices.Contains(before, m) {
			added = append(added, openshell.Mount(m))
		}
	}

	for _, m := range before {
		if !slices.Contains(wanted, m) {
			gone = append(gone, openshell.Mount(m))
		}
	}

	return added, gone, nil
}

// computeDriver names the gateway's compute driver, whose own words mounts are said in.
func (d *API) computeDriver(ctx context.Context) (string, error) {
	names, err := d.API.ComputeDrivers(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("a mount needs the gateway to name its compute driver: %w", err)
	case len(names) != 1:
		return "", fmt.Errorf("a mount needs the gateway to name one compute driver, and it names %d", len(names))
	}
	return names[0], nil
}

// ListSandboxes returns every sandbox of the API's workspace, or of the gateway.
func (d *API) ListSandboxes(ctx context.Context) ([]lifecycle.Record, error) {
	list := d.API.Sandboxes
	if d.Everywhere {
		list = d.API.AllSandboxes
	}
	rows, err := list(ctx)
	if err != nil {
		return nil, err
	}
	records := make([]lifecycle.Record, 0, len(rows))
	for _, row := range rows {
		records = append(records, d.record(row))
	}
	return records, nil
}

func (d *API) record(s openshell.RawSandbox) lifecycle.Record {
	return lifecycle.Record{
		ID: s.ID, Name: s.Name, Gateway: d.API.Gateway, Labels: maps.Clone(s.Labels), Annotations: maps.Clone(s.Annotations),
		Phase: s.Phase, Reason: s.Reason, Spec: s.Spec,
	}
}

// Recipe reads the recipe of a sandbox; the error wraps fs.ErrNotExist when the gateway has no such sandbox.
func (d *API) Recipe(ctx context.Context, name string) (Recipe, error) {
	s, err := d.API.GetSandbox(ctx, name)
	if err == nil {
		s, err = d.API.CurrentPolicy(ctx, s)
	}
	if err != nil {
		return Recipe{}, err
	}
	read, err := s.ReadSpec()
	if err != nil {
		return Recipe{}, err
	}
	return Recipe{
		SandboxID: s.ID, Name: s.Name, Gateway: d.API.Gateway, Workspace: s.Workspace, Image: read.Image, Spec: s.Spec,
		Labels: s.Labels, Annotations: s.Annotations, EnvNames: read.EnvNames, Providers: read.Providers, Command: read.Command,
		Policy: read.Policy, Phase: s.Phase, Served: d.API.Served(),
	}, nil
}
