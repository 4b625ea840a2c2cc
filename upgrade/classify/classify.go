// Package classify answers one question: which sandboxes are behind, and what proves it? It only looks. Each sandbox is
// judged by its own signals, never from a sample, and what nothing proves is unknown.
package classify

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/internal/command"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/sandbox"
)

// State is the outcome of the check of one sandbox; the values are part of the JSON contract (docs/design.md 4.2).
type State string

// The outcomes of a check.
const (
	Current  State = "current"  // something proves it, and nothing else could not be looked at that should have been
	Stale    State = "stale"    // at least one signal proves it
	Unknown  State = "unknown"  // not provable; the reasons say why. Never rebuilt by itself
	Orphaned State = "orphaned" // as in the inventory
)

// Codes of reasons. They are only ever added to.
const (
	CodeAgentVersion  = "agent-version"  // the agent inside is older than NemoClaw expects
	CodeVersionScheme = "version-scheme" // calendar against semver: another generation, and not to be compared by number
	CodeImage         = "image"          // its tag has moved on to another image
	CodeSupervisor    = "supervisor"     // its supervisor is older than its gateway
	CodeFingerprint   = "fingerprint"    // its image was built by another NemoClaw
	CodeName          = "name"           // newer OpenShell would refuse to create it under this name
	CodeInventory     = "inventory"      // it could not be seen well enough to be compared
)

// Reason is one signal with both values. Detail says what the values cannot.
type Reason struct {
	Code     string `json:"code"`
	Current  string `json:"current"`
	Expected string `json:"expected"`
	Detail   string `json:"detail,omitempty"`
}

// Checked is the outcome for one sandbox.
type Checked struct {
	Name      string   `json:"name"`
	Workspace string   `json:"workspace,omitempty"`
	State     State    `json:"state"`
	Running   bool     `json:"running"`
	Reasons   []Reason `json:"reasons"` // why stale, why unknown; a refused name whatever the state
	Gateway   string   `json:"gateway,omitempty"`
	Detail    string   `json:"detail,omitempty"`   // what is odd about it in the inventory
	Unproven  []Reason `json:"unproven,omitempty"` // signals that could not be looked at and do not decide
}

// Address is how people write the sandbox.
func (c Checked) Address() string { return sandbox.Address(c.Workspace, c.Name) }

// Totals counts the sandboxes of each state; their sum is the number of sandboxes.
type Totals struct {
	Current  int `json:"current"`
	Stale    int `json:"stale"`
	Unknown  int `json:"unknown"`
	Orphaned int `json:"orphaned"`
}

// Summary is the result of `upgrade-sandboxes --check`.
type Summary struct {
	Totals    Totals    `json:"totals"`
	Sandboxes []Checked `json:"sandboxes"`
	Warnings  []string  `json:"warnings,omitempty"`
}

// NeedsAttention reports whether any sandbox is stale, unknown or orphaned: then the check exits 4.
func (s Summary) NeedsAttention() bool {
	return s.Totals.Stale+s.Totals.Unknown+s.Totals.Orphaned > 0
}

// Input is what a check compares. The functions only look; each is called for several sandboxes at once, under a
// context that ends with Timeout. A nil function means that its signal cannot be had on this host.
type Input struct {
	Inventory sandbox.Inventory
	Agents    Agents
	NemoClaw  string                   // version of the NemoClaw on this host, "" when none
	Gateways  map[string]drift.Version // by the gateway's name, as far as known

	// Probe runs argv inside a running sandbox and returns what it printed.
	Probe func(ctx context.Context, s sandbox.Sandbox, argv []string) (string, error)
	// ImageID is the id that the engine of s, which has a container, gives an image reference now; wraps fs.ErrNotExist
	// when it has none.
	ImageID func(ctx context.Context, s sandbox.Sandbox, ref string) (string, error)
	// RecipeImage is the image that the sandbox's recipe names, "" when it names none. It asks the sandbox's gateway.
	RecipeImage func(ctx context.Context, s sandbox.Sandbox) (string, error)
	// Inspect looks the container of s up again: a listing shows an id where the tag has moved, an inspection the
	// reference.
	Inspect func(ctx context.Context, s sandbox.Sandbox) (engine.Container, error)
	// Supervisor is the version of the sandbox's supervisor; wraps fs.ErrNotExist when it has none.
	Supervisor func(ctx context.Context, s sandbox.Sandbox) (drift.Version, error)

	Jobs    int           // sandboxes looked at together; 0 is 8
	Timeout time.Duration // of one probe; 0 is 15 s
}

// Sandboxes says of every sandbox of the inventory whether it is behind. It changes nothing, and no sandbox's trouble
// is another's. The error is ctx's.
func Sandboxes(ctx context.Context, in Input) (Summary, error) {
	in = in.withDefaults()
	found := make([]Checked, len(in.Inventory.Sandboxes))
	images := newImages(in)
	each(len(found), in.Jobs, func(i int) { found[i] = in.guarded(ctx, in.Inventory.Sandboxes[i], images) })
	if err := ctx.Err(); err != nil {
		return Summary{}, fmt.Errorf("checking %d sandboxes: %w", len(found), err)
	}
	summary := Summary{Sandboxes: found, Warnings: append(append([]string(nil), in.Inventory.Warnings...), in.Agents.Problems...)}
	for _, c := range found {
		summary.Totals.count(c.State)
	}
	return summary, nil
}

func (in Input) withDefaults() Input {
	if in.Jobs <= 0 {
		in.Jobs = 8
	}
	if in.Timeout <= 0 {
		in.Timeout = command.DefaultTimeout
	}
	return in
}

func (t *Totals) count(state State) {
	switch state {
	case Current:
		t.Current++
	case Stale:
		t.Stale++
	case Orphaned:
		t.Orphaned++
	default:
		t.Unknown++
	}
}

// guarded turns a panic of one sandbox's check into that sandbox's unknown.
func (in Input) guarded(ctx context.Context, s sandbox.Sandbox, images *images) (c Checked) {
	defer func() {
		if trouble := recover(); trouble != nil {
			c = opened(s)
			c.State = Unknown
			c.Reasons = append(c.Reasons, Reason{Code: CodeInventory, Detail: fmt.Sprintf("checking it went wrong: %v", trouble)})
		}
	}()
	return in.check(ctx, s, images)
}

func opened(s sandbox.Sandbox) Checked {
	return Checked{Name: s.Name, Workspace: s.Workspace, Gateway: s.Gateway, Running: running(s), Reasons: []Reason{}, Detail: s.Reason}
}

// running reports whether programs can be run in s now; in a paused container they cannot.
func running(s sandbox.Sandbox) bool {
	return s.Standing == sandbox.Ready && (s.Container == nil || s.Container.Running())
}

func (in Input) check(ctx context.Context, s sandbox.Sandbox, images *images) Checked {
	c := opened(s)
	switch s.Standing {
	case sandbox.Orphaned:
		c.State = Orphaned
		return c
	case sandbox.Ambiguous, sandbox.BadName, sandbox.Unknown:
		c.State, c.Detail = Unknown, ""
		c.Reasons = append(c.Reasons, Reason{Code: CodeInventory, Detail: s.Reason})
		return c
	}

	c.judge([]signal{
		in.agentSignal(ctx, s), images.signal(ctx, s), in.supervisorSignal(ctx, s), in.fingerprintSignal(s),
	})
	if refused := sandboxname.CheckNew(s.Name); refused != "" {
		c.Reasons = append(c.Reasons, Reason{Code: CodeName, Current: s.Name, Expected: refused, Detail: "newer OpenShell would not create it under this name"})
	}
	return c
}
