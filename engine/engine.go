// Package engine answers one question: what do the container engines of this host run, and what happens when we ask
// them to act? It is the only room that knows Docker's types; everything it returns is ours. Every request is bounded,
// and a failed listing is an error, never an empty one.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"sandkeeper/drift"
	"sandkeeper/internal/text"
)

// DefaultTimeout is how long one request to the container engine may take unless a caller says otherwise.
const DefaultTimeout = 5 * time.Second

// errorLimit is how many characters of an engine's or a registry's error are quoted.
const errorLimit = 300

// State says whether a container engine answered, and which.
type State struct {
	State      drift.State
	Host       string // "unix:///var/run/docker.sock"
	APIVersion string // what the daemon speaks
	Why        string // for absent and unknown
	Closed     bool   // unknown, because this user may not open its socket
}

// Engine is a container engine that has answered: Docker, or Podman through its Docker-compatible API. Its methods may
// be called at the same time.
type Engine struct {
	client  *client.Client
	host    string
	timeout time.Duration
	api     string // as greeted
	logins  logins // for registries

	naming   sync.Mutex
	identity string // once it was asked for

	asking  sync.Mutex
	product string // once it was asked for
}

// Client is the engine's own client, for tests that make containers of their own.
func (e *Engine) Client() *client.Client { return e.client }

// Host is the engine's address, "unix:///var/run/docker.sock".
func (e *Engine) Host() string { return e.host }

// State is what is known of the engine since it answered.
func (e *Engine) State() State {
	return State{State: drift.Known, Host: e.host, APIVersion: e.api}
}

// Close lets go of idle connections.
func (e *Engine) Close() error { return e.client.Close() }

// Sandboxes lists every container that carries the labels of OpenShell's docker or podman driver, whatever its state,
// sorted by name. It asks the engine twice whatever the number of containers; an error is never an empty list.
func (e *Engine) Sandboxes(ctx context.Context) ([]Container, error) {
	found := map[string]Container{}
	for _, label := range []string{LabelManagedBy + "=openshell", LabelPodman + "=true"} {
		listed, err := e.list(ctx, label)
		if err != nil {
			return nil, fmt.Errorf("listing the sandbox containers of %s: %w", e.host, err)
		}
		for _, summary := range listed {
			c := fromSummary(summary)
			c.Host = e.host
			found[summary.ID] = c
		}
	}

	sorted := slices.AppendSeq(make([]Container, 0, len(found)), maps.Values(found))
	slices.SortFunc(sorted, byName)
	return sorted, nil
}

func byName(a, b Container) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

func (e *Engine) list(ctx context.Context, label string) ([]container.Summary, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	listed, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	return listed, e.explain(ctx, err)
}

// Inspect reads one container by id or name. The error wraps fs.ErrNotExist when there is none.
func (e *Engine) Inspect(ctx context.Context, id string) (Container, error) {
	inspected, err := e.inspect(ctx, id)
	if err != nil {
		return Container{}, err
	}
	c := fromInspect(inspected)
	c.Host = e.host
	return c, nil
}

func (e *Engine) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	inspected, err := e.client.ContainerInspect(ctx, id)
	if err == nil && (inspected.ContainerJSONBase == nil || inspected.Config == nil || inspected.State == nil) {
		err = errors.New("the engine's answer does not describe a container")
	}
	if err != nil {
		return inspected, fmt.Errorf("inspecting container %q: %w", id, e.explain(ctx, err))
	}
	return inspected, nil
}

// limited gives one request its time limit, and the limit its name.
func (e *Engine) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return e.within(ctx, e.timeout)
}

func (e *Engine) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, text.As(context.DeadlineExceeded, "%s did not answer within %s", e.host, limit))
}

// noSuchImageID is how Podman says that it has no image of an id: it takes the id for a name then
// (docs/facts/engines.md 1).
const noSuchImageID = "cannot specify 64-byte hexadecimal strings"

// explain makes the engine's errors ours: a missing object wraps fs.ErrNotExist, a time limit says which.
func (e *Engine) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err), strings.Contains(err.Error(), noSuchImageID):
		return text.As(fs.ErrNotExist, "%s", inWords(err))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return inWords(err)
}

// inWords leaves out of an error what only a programmer reads: the request, which spells a socket as
// http://%2Fvar%2Frun…, and what a parser makes of an answer that is none of an engine's.
func inWords(err error) error {
	said := err.Error()
	if strings.Contains(said, "malformed HTTP") || strings.Contains(said, "readLoopPeekFail") { // the latter when it speaks before it is asked
		return text.As(err, "what answers there is no container engine")
	}
	request := regexp.MustCompile(`^(?:error during connect: )?[A-Z][a-z]+ "http[^"]*": `)
	if words := request.ReplaceAllString(said, ""); words != said {
		return text.As(err, "%s", words)
	}
	return err
}
