package lifecycle

import (
	"context"
	"maps"
	"slices"
)

// Driver creates, deletes and lists sandboxes on one gateway. A Chain wraps one and is one; both keep this contract.
type Driver interface {
	// CreateSandbox creates what the request describes and returns it as the gateway now knows it, with its id.
	// A record with an id beside an error means: the sandbox exists, and something after its creation went wrong.
	CreateSandbox(ctx context.Context, request Request) (Record, error)
	// DeleteSandbox deletes the sandbox. nil means it is gone, also when it had been gone before.
	DeleteSandbox(ctx context.Context, sandbox Reference) error
	// ListSandboxes returns every sandbox of the gateway. An incomplete listing is an error, never a short list.
	ListSandboxes(ctx context.Context) ([]Record, error)
	// WatchSandboxes calls handle for each change until ctx ends, handle returns an error, or the gateway hangs up.
	WatchSandboxes(ctx context.Context, handle func(Change) error) error
}

// Request is what a sandbox shall be. The named fields are those that extensions may add to; all the rest of the recipe
// is in Spec, which only the driver reads.
type Request struct {
	// ID is the id the sandbox will have, when the caller decides it; "" when the gateway does.
	ID string
	// Name and Gateway say which sandbox on which gateway.
	Name, Gateway string
	// Home is the absolute path of the sandbox's home, which no mount may hide; "" when it is not known, which means
	// /sandbox.
	Home string
	// Labels, Annotations and Env are those already set by the recipe.
	Labels, Annotations, Env map[string]string
	// Mounts are those already set by the recipe.
	Mounts []Mount
	// Spec is the driver's own encoding of the recipe, opaque here.
	Spec []byte
}

// Mount makes Source, a path on the host or the driver's name of a volume, visible at the absolute path Target in the
// sandbox.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly"`
}

// Record is a sandbox as its gateway lists it.
type Record struct {
	ID, Name, Gateway   string
	Labels, Annotations map[string]string
	// Phase is the gateway's own word for its condition, such as "Ready".
	Phase string
	// Reason is the gateway's own word for why the sandbox is not Ready; "" where it gives none.
	Reason string
	Spec   []byte
}

// Reference names a sandbox. ID decides when it is set; else Name on Gateway does.
type Reference struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Gateway string `json:"gateway"`
}

// Change is one observation of a watch: the sandbox as it is now, or that it is gone.
type Change struct {
	Record Record
	Gone   bool
}

// clone copies everything that an extension or a driver could change behind our back.
func (r Request) clone() Request {
	r.Labels = maps.Clone(r.Labels)
	r.Annotations = maps.Clone(r.Annotations)
	r.Env = maps.Clone(r.Env)
	r.Mounts = slices.Clone(r.Mounts)
	r.Spec = slices.Clone(r.Spec)
	return r
}
