// Package noop is the reference for authors of lifecycle extensions: it does nothing but remember that it was called.
// Copy it, rename it, and replace the bodies. docs/extensions.md is the guide that goes with it.
package noop

import (
	"context"
	"sandkeeper/lifecycle"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// schema is the version of the state below. Raise it when the payload changes shape, and keep the old number in Reads
// below for as long as there are sandboxes with old state: state of a version that is not in Reads stops the sandbox
// until an operator decides.
const schema = 1

// state is what the extension remembers about one sandbox. It is stored as JSON in the payload of a lifecycle.State;
// any other encoding would do, the chain never looks inside. Keep it small, and keep secrets out: `extensions state
// show` prints it.
type state struct {
	Greeting string `json:"greeting"`
}

// config is the table [compute.extension."noop"]. Every key the operator may write is a field with a toml tag. A key
// that is not here is refused at start-up with file and line. The key "timeout" is the chain's and needs no field.
type config struct {
	Greeting string `toml:"greeting"`
}

// Definition is what a program links in: lifecycle.NewRegistry(noop.Definition(), …). Nothing registers itself.
func Definition() lifecycle.Definition {
	return lifecycle.Define(
		"noop",                           // the name in [compute] extensions, and the owner that refusals name
		"does nothing, and remembers it", // one line for `extensions list`
		[]uint32{schema},                 // the schema versions this build reads
		build,                            // makes the extension from its table, once, at start-up
	)
}

// build refuses bad values by key, so that the operator sees the line of the file. It must not do I/O that can hang: it
// has no deadline.
func build(c config) (lifecycle.Extension, error) {
	if len(c.Greeting) > 80 {
		return nil, lifecycle.BadValue("greeting", "at most 80 bytes, not %d", len(c.Greeting))
	}
	return &extension{greeting: c.Greeting}, nil
}

// extension serves every sandbox, from several goroutines at once: fields are set in build and only read afterwards.
// What belongs to one sandbox goes into its state, not here, because the next phase may run in another process.
type extension struct {
	// Defaults gives AfterCreateSuccess and BeforeDelete, the two phases that may do nothing.
	lifecycle.Defaults
	greeting string
}

// BeforeCreate may add to the request through add (AddEnv, AddLabel, AddMount, AddAnnotation) and look at it with
// add.Request(). The state it returns is on disk before the next extension, or the driver, is called. To be safe when
// the process dies in the middle, acquire things under a name that can be derived from the sandbox, so that
// AfterCreateFailed finds them without state.
func (e *extension) BeforeCreate(ctx context.Context, sandbox lifecycle.Sandbox, _ *lifecycle.Builder) (*lifecycle.State, error) {
	// Spans and audit events hang on the context. Neither needs to be checked for nil; without a sink they do nothing.
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("noop.greeting", e.greeting))
	lifecycle.Emit(ctx, lifecycle.SeverityInformational, "noop saw the sandbox", nil)
	// An error here would stop the chain: CreateSandbox would not be called, and what ran before would be undone.
	return lifecycle.NewState(schema, state{Greeting: e.greeting})
}

// AfterCreateFailed undoes what BeforeCreate did. It must be idempotent, and must cope with a nil state: a BeforeCreate
// that was cut off by its deadline, a panic or kill -9 left none.
func (e *extension) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	// Returning nil, nil says: done, forget the state. An error keeps the state, and the next reconcile tries again.
	return nil, nil
}

// AfterDelete is the last chance to release. The sandbox is gone. Idempotent, like every phase but the first.
func (e *extension) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// Reconcile compares the world with the state. sandbox.Presence says whether the gateway lists the sandbox; unknown
// means that it could not be asked, never that it is gone.
func (e *extension) Reconcile(_ context.Context, sandbox lifecycle.Sandbox, stored *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	// A sandbox that was deleted behind our back: an authoritative outcome makes the chain run AfterDelete and drop the
	// state.
	if sandbox.Presence == lifecycle.Missing {
		return lifecycle.ReconcileOutcome{Authority: lifecycle.Authoritative}, nil
	}
	// Without state there is nothing to compare.
	if stored == nil {
		return lifecycle.ReconcileOutcome{}, nil
	}
	// The version was checked by the chain; the payload is ours to check.
	var was state
	if err := stored.Decode(&was); err != nil {
		return lifecycle.ReconcileOutcome{}, err
	}
	// Advisory, the default: say what differs and change nothing.
	if was.Greeting != e.greeting {
		return lifecycle.ReconcileOutcome{Drift: []string{"the greeting was " + was.Greeting + " and is " + e.greeting}}, nil
	}
	return lifecycle.ReconcileOutcome{}, nil
}
