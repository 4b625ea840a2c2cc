package migrate

import (
	"fmt"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/sandbox"
)

// Stage says where a host is on the way from 0.0.x to 0.1.x; the values are part of the JSON contract.
type Stage string

// The stages.
const (
	StageExport Stage = "export" // a gateway of 0.0.x and its sandboxes: save them while that still runs
	StageRescue Stage = "rescue" // upgraded in place: the old containers are the only copy, and the new gateway does not see them
	StageImport Stage = "import" // a set is saved, and its sandboxes are still to be made by a gateway of 0.1.x
	StageDone   Stage = "done"   // nothing of 0.0.x is left to be moved
)

// Facts are what a plan is made of. Whatever could not be seen is the zero value, with its reason in Unseen.
type Facts struct {
	Gateway    string
	Running    drift.Version // of the gateway that answers, else of the gateway that would start
	Generation int           // the newest migration of the gateway's database; 0 unknown
	Database   string        // its path; "" unknown
	Config     Config
	Sandboxes  []Seen
	Providers  []Provider
	Set        *Set  // the newest set of this gateway; nil when there is none
	SetErr     error // why a set that is there could not be read
	Unseen     []string
}

// Config is the gateway.toml of a host.
type Config struct {
	Path    string // "" where none can be
	Content []byte // nil when there is no such file
	Err     error  // why it could not be read
}

// Seen is one sandbox as a plan looks at it.
type Seen struct {
	Sandbox   sandbox.Sandbox
	Recipe    *driver.Recipe // nil when its gateway did not tell it; Untold says why
	Untold    string
	Home      string // "" when unknown
	ImageHere bool   // the image of its recipe is on this host
	ImageUser string // USER of that image; "" unknown, or none
}

// Provider is a provider of the old gateway: its credentials are named, never shown.
type Provider struct {
	Name        string   `json:"name"`
	Workspace   string   `json:"workspace,omitempty"`
	Type        string   `json:"type"`
	Credentials []string `json:"credentials"` // what must be entered again
}

// Plan is the order of steps, and what each sandbox and the host bring along. Its JSON is a contract: keys are only
// added.
type Plan struct {
	Gateway   string        `json:"gateway"`
	Running   string        `json:"running"` // version; "" unknown
	Stage     Stage         `json:"stage"`
	Host      HostPlan      `json:"host"`
	Sandboxes []SandboxPlan `json:"sandboxes"`
	Steps     []Step        `json:"steps"`
	Warnings  []string      `json:"warnings,omitempty"`
}

// HostPlan is what is the gateway's, and no sandbox's own.
type HostPlan struct {
	Carried    []Item      `json:"carried"`
	NotCarried []Item      `json:"notCarried"`
	Refused    []Item      `json:"refused"`
	Providers  []Provider  `json:"providers"` // to be entered again
	Config     *ConfigPlan `json:"config"`    // nil when there is no gateway.toml
}

// ConfigPlan is what becomes of gateway.toml.
type ConfigPlan struct {
	Path     string   `json:"path"`
	Proposed string   `json:"proposed"` // file with the proposal; "" when none was written
	Changes  []string `json:"changes"`
	Manual   []string `json:"manual"` // what a person must decide
}

// SandboxPlan is one sandbox.
type SandboxPlan struct {
	Name       string `json:"name"`
	Workspace  string `json:"workspace"`
	Container  string `json:"container"` // "" when none is on this host
	Running    bool   `json:"running"`
	Home       string `json:"home"` // "" unknown
	Carried    []Item `json:"carried"`
	NotCarried []Item `json:"notCarried"`
	Refused    []Item `json:"refused"` // by a gateway of 0.1.x, until what Fix says is done
}

// Address is how people write the sandbox.
func (p SandboxPlan) Address() string { return sandbox.Address(p.Workspace, p.Name) }

// Item is one thing. Code is stable; Fix is "" where there is nothing to do about it.
type Item struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Step is one thing to do, in its turn. Commands can be pasted; a step without any is for a person.
type Step struct {
	Title    string   `json:"title"`
	Commands []string `json:"commands,omitempty"`
	Why      string   `json:"why,omitempty"`
}

// Make makes the plan out of what was seen. It does no I/O.
func Make(f Facts) Plan {
	p := Plan{Gateway: f.Gateway, Running: f.Running.String(), Stage: f.stage(), Warnings: slices.Clone(f.Unseen), Sandboxes: []SandboxPlan{}}
	for _, seen := range f.moving() {
		p.Sandboxes = append(p.Sandboxes, judge(seen))
	}
	p.Host = f.host()
	p.Steps = f.steps(p)
	if p.Stage == StageRescue {
		p.Warnings = append(p.Warnings, f.rescueWarning())
	}
	return p
}

// Old reports whether a container was made by OpenShell 0.0.x: those of 0.1.x carry a role (docs/facts/openshell-0.1.md
// 1.1).
func Old(sb sandbox.Sandbox) bool {
	return sb.Container != nil && sb.Container.Role == ""
}

// moving are the sandboxes that have to move: those in old containers, and, while a gateway of 0.0.x runs, those that
// only it lists.
func (f Facts) moving() []Seen {
	return slices.DeleteFunc(slices.Clone(f.Sandboxes), func(s Seen) bool {
		return !Old(s.Sandbox) && (s.Sandbox.Container != nil || f.new())
	})
}

// new reports whether the host is one of 0.1.x by now: its gateway is, or its database was opened by one. Migration 7
// is the first of 0.1.x, and there is no way back (docs/facts/openshell-0.1.md 4.4).
func (f Facts) new() bool { return f.Running.Stable() || f.Generation >= 7 }

func (f Facts) stage() Stage {
	left := len(f.moving())
	switch {
	case f.Set != nil && f.Set.covers(f.moving()) && (f.new() || left > 0):
		return StageImport
	case left == 0:
		return StageDone
	case f.new():
		return StageRescue
	}
	return StageExport
}

func (f Facts) rescueWarning() string {
	return fmt.Sprintf("this host was upgraded in place: %d container(s) of OpenShell 0.0.x are the only copy of their sandboxes, and gateway %q of 0.1.x does not see them. "+
		"Save them before anything else. Do not run `openshell sandbox delete`, and remove no container", len(f.moving()), f.Gateway)
}
