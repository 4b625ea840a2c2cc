package lifecycle

import (
	"context"
	"encoding/json"
)

// Extension is behaviour attached to the life of every sandbox. Each phase runs under a deadline (30 s unless
// configured), gets the sandbox and the latest state this extension returned for it (nil when it never returned any),
// and may return a replacement (nil keeps what is stored). A phase must return soon after its context ends; otherwise
// it is abandoned and reported.
//
// Every phase but BeforeCreate must be idempotent: after a crash it may run again for the same sandbox.
type Extension interface {
	// BeforeCreate runs before the sandbox is created, in declared order, and may add to the request. An error stops
	// the chain and the creation; the extension that returns it must have undone its own work.
	BeforeCreate(ctx context.Context, sandbox Sandbox, add *Builder) (*State, error)
	// AfterCreateSuccess runs, in reverse order, when the sandbox was created.
	AfterCreateSuccess(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
	// AfterCreateFailed undoes what BeforeCreate did. It runs in reverse order on those whose BeforeCreate ran, also on
	// one that was cut off by a time limit, a panic or the death of the process; that one may have no state.
	AfterCreateFailed(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
	// BeforeDelete quiesces, in reverse order. An error keeps the sandbox.
	BeforeDelete(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
	// AfterDelete releases everything, in reverse order. The state is deleted only when it returned without error.
	AfterDelete(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
	// Reconcile compares the world with the state of one sandbox, at start-up and on request, in any order.
	Reconcile(ctx context.Context, sandbox Sandbox, state *State) (ReconcileOutcome, error)
}

// Defaults is embedded by extensions that have nothing to do in the two phases which the RFC lets default. The others
// have no default on purpose: whoever acquires something must say how it is released.
type Defaults struct{}

// AfterCreateSuccess does nothing and keeps the state.
func (Defaults) AfterCreateSuccess(context.Context, Sandbox, *State) (*State, error) { return nil, nil }

// BeforeDelete does nothing and keeps the state.
func (Defaults) BeforeDelete(context.Context, Sandbox, *State) (*State, error) { return nil, nil }

// Phase is the RFC's name of a moment in the life of a sandbox.
type Phase string

// The phases, in the RFC's words.
const (
	BeforeCreate       Phase = "before_create"
	AfterCreateSuccess Phase = "after_create_success"
	AfterCreateFailed  Phase = "after_create_failed"
	BeforeDelete       Phase = "before_delete"
	AfterDelete        Phase = "after_delete"
	Reconcile          Phase = "reconcile"
)

// Sandbox is what a phase is told about the sandbox at hand.
type Sandbox struct {
	// Reference names it. While a gateway that chooses ids has not answered, ID is provisional and begins with
	// "pending-"; from AfterCreateSuccess on it is the gateway's. The stored state moves along.
	Reference
	// Presence says whether the gateway lists it. Known in Reconcile and in the phases that Reconcile finishes.
	Presence Presence
	// Labels are what the gateway lists, in Reconcile; nil where the listing does not show labels or the sandbox was
	// not seen.
	Labels map[string]string
	// InFlight names the operation that was interrupted, in Reconcile: "create", "delete" or "".
	InFlight string
}

// Presence is whether a gateway lists a sandbox. The zero value is unknown: a listing that failed proves nothing.
type Presence string

// What a listing can say about a sandbox.
const (
	PresenceUnknown Presence = ""
	Listed          Presence = "listed"
	Missing         Presence = "missing"
)

// State is what an extension remembers about a sandbox. The payload is the extension's own; the version says in which
// schema it is written, and an extension is only ever handed versions that its Definition says it reads.
type State struct {
	SchemaVersion uint32 `json:"schema_version"`
	Payload       []byte `json:"payload"`
}

// NewState encodes value as the JSON payload of a State with the given schema version.
func NewState(version uint32, value any) (*State, error) {
	payload, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &State{SchemaVersion: version, Payload: payload}, nil
}

// Decode reads a JSON payload into value.
func (s *State) Decode(value any) error { return json.Unmarshal(s.Payload, value) }

// clone keeps an extension from changing what the chain holds.
func (s *State) clone() *State {
	if s == nil {
		return nil
	}
	return &State{SchemaVersion: s.SchemaVersion, Payload: append([]byte(nil), s.Payload...)}
}

// Authority says what a reconcile was allowed to do.
type Authority string

// Advisory, the zero value, changes nothing: the drift is logged and alerted. Authoritative means that the extension
// made the world match its state; the replacement state it returned is stored, and where the sandbox is gone its
// AfterDelete runs.
const (
	Advisory      Authority = ""
	Authoritative Authority = "authoritative"
)

// ReconcileOutcome is what one extension found for one sandbox.
type ReconcileOutcome struct {
	Authority Authority
	// Drift names, one sentence each, what differs between the world and the state. Empty means: as it should be.
	Drift []string
	// State replaces the stored state. Ignored when the outcome is advisory.
	State *State
}
