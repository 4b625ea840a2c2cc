// Package sandbox answers which sandboxes there are: one inventory out of the registry, the gateways' lists and the
// engine's containers, and one classifier that every command uses.
package sandbox

import (
	"encoding/json"

	"sandkeeper/engine"
	"sandkeeper/internal/sandboxname"
)

// Row is one registry row: what we read of it, and all of it as it stands (unknown keys survive).
type Row struct {
	Name             string
	Agent            string // "" in the file means openclaw; here it is filled in
	AgentVersion     string
	NemoclawVersion  string
	ImageTag         string
	OpenshellDriver  string
	OpenshellVersion string
	Gateway          string // resolved binding (docs/facts/nemoclaw.md 1.3)
	GatewayPort      int
	BindingErr       error  // the persisted binding is invalid: never fall back to another gateway
	File             string // the sandboxes.json it came from
	Raw              json.RawMessage
}

// Standing is the one classification of a sandbox that every command shares.
type Standing string

// The classes of sandboxes.
const (
	Ready     Standing = "ready"     // listed Ready, or its container runs
	Stopped   Standing = "stopped"   // its container exists and does not run
	NotReady  Standing = "not_ready" // listed in another phase, and no container to read
	Orphaned  Standing = "orphaned"  // registered, in no list, without a container, confirmed by a second look
	Ambiguous Standing = "ambiguous" // several containers claim it and no id decides
	BadName   Standing = "bad_name"  // its name is not one clean path component
	Unknown   Standing = "unknown"   // what decides could not be seen; Reason says what
)

// Route is how a sandbox's home can be read.
type Route string

// The ways to a home.
const (
	ByContainer Route = "container" // the container engine's archive API: works stopped, unreachable, with a broken gateway
	ByExec      Route = "exec"      // openshell sandbox exec … tar
	NoRoute     Route = ""          // none is open now
)

// DefaultWorkspace is the workspace of every sandbox of which none is said.
const DefaultWorkspace = sandboxname.DefaultWorkspace

// Sandbox is one sandbox of the inventory.
type Sandbox struct {
	Name       string
	Workspace  string // never ""
	Registered bool
	Row        *Row   // nil when not registered
	Gateway    string // the recorded gateway; without a record, the gateway that listed it
	ID         string // gateway's id, or the container's label
	Listed     bool   // its gateway lists it
	Phase      string // as listed
	PhaseWhy   string // why it is not Ready, in its gateway's words
	Container  *engine.Container
	Companion  *engine.Container // its supervisor in a container of its own (OpenShell 0.1.x); may be inspected, nothing else
	// WorkspaceRoot is the home that the gateway noted on this host for the next start; "" where it noted none.
	WorkspaceRoot string
	Rivals        []engine.Container // all that claim it, when several do
	Standing      Standing
	Route         Route
	Reason        string // why it cannot be backed up, or what is odd about it; names objects
}

// Inventory is every sandbox of the host, sorted by name.
type Inventory struct {
	Sandboxes []Sandbox
	Source    string   // "registry+gateway+containers", "gateway+containers", "containers": goes into every manifest
	Empty     bool     // the registry is there and empty, and no labelled container exists: nothing was asked of a gateway
	Partial   error    // which container engines of this host did not answer: there may be sandboxes that are not here; nil when all did
	Warnings  []string // what could not be looked at, and does not decide
}
