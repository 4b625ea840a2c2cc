// Package gateway answers one question: which gateway is really there? It observes the CLI, the gateway process, its
// marker and binaries, the cluster container and the served version, each within its own time limit, and never guesses.
package gateway

import (
	"errors"
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// Target is the gateway that is meant: every probe and every command is about this one.
type Target struct {
	Name     string // as the openshell CLI knows it: "nemoclaw", "nemoclaw-8091", "openshell"
	Port     int    // host port of its endpoint; 0 when unknown
	Endpoint string // URL; "" when unknown
	Source   string // where the choice came from, in words: "-g", "NEMOCLAW_GATEWAY_PORT", "active_gateway"
	Remote   bool   // the endpoint is on another host: local processes and files are no evidence
	Doubt    string // why the CLI's registration could not be read; "" when it could, or there is none
	Unknown  bool   // the CLI has no registration of that name
	Err      error  // the choice cannot be a gateway; wraps ErrBadName, and nothing is observed for it
}

// Observation is everything that was seen about one gateway, gathered by Observe.
type Observation struct {
	Target  Target
	CLI     CLI
	Engine  engine.State
	Silent  string // which other container engines of this host did not answer; "" when all did
	Cluster Cluster
	Marker  Marker
	Process drift.Process
	File    drift.File
	Served  Served
	Port    Port
	Host    Host
	// Stranger is the user of the live gateway process, "user 1234", when that is not ours: its service manager is not
	// ours either.
	Stranger string
	// Containers are the labelled sandbox containers of the engine, running or not; nil when the engine did not say.
	Containers []engine.Container
	Probes     []Probe // in the order shown to people
}

// Evidence is the part of o that drift.Assess judges.
func (o Observation) Evidence() drift.Observation {
	return drift.Observation{
		CLI: o.CLI.Evidence, Cluster: o.Cluster.Cluster, Process: o.Process, File: o.File, Served: o.Served.Served,
	}
}

// CLI is the resolved openshell command line.
type CLI struct {
	drift.Evidence
	Path string // "" when none was found
}

// Cluster is the legacy cluster container with what decided whether it is active.
type Cluster struct {
	drift.Cluster
	Running bool
	Ports   []int // published host ports
	// Gateway means that it is no cluster container of OpenShell or NemoClaw but one that somebody runs the gateway in;
	// Maker says how.
	Gateway bool
	Maker   Maker
}

// MarkerState is how a runtime marker was judged; the values are part of the JSON contract.
type MarkerState string

// How a marker can be judged.
const (
	MarkerLive    MarkerState = "live"    // names a live process that is this gateway
	MarkerStale   MarkerState = "stale"   // well-formed, but its process is gone or another one
	MarkerInvalid MarkerState = "invalid" // unreadable, torn, or not a marker
	MarkerAbsent  MarkerState = "absent"  // there is none
)

// Marker is NemoClaw's runtime.json as found (docs/facts/nemoclaw.md 3.1).
type Marker struct {
	Path             string
	State            MarkerState
	Reason           string // why stale, invalid or absent
	PID              int
	Endpoint         string
	GatewayBin       string // "" in compat-container mode
	OpenShellVersion string // the CLI's version at launch, not the gateway's
	DockerHost       string
	CreatedAt        time.Time
}

// Served is the gateway's own answer, as `openshell status` reports it.
type Served struct {
	drift.Served
	Answered bool   // a gateway answered under the target's name
	Status   string // "connected", "connected_http", "error", "disconnected", "not_configured"; "" when it did not say
	Detail   string // one cleaned line of why not
	Err      error  // why the CLI had no status to give; *openshell.MismatchError, *openshell.ListingError, or no CLI
}

// NotRegistered reports that the CLI answered that it has no such gateway.
func (s Served) NotRegistered() bool {
	listing, ok := errors.AsType[*openshell.ListingError](s.Err)
	return s.Status == "not_configured" || ok && listing.NotRegistered
}

// Host is what exists on this host to act on the gateway with: guidance names only commands that are here.
type Host struct {
	NemoClaw string  // absolute path of nemoclaw, or ""
	Managed  bool    // NemoClaw manages this gateway: its state directory or registry exists
	Restart  string  // restarts the service whose control group holds the gateway's process; "" when none does
	Start    string  // starts the service of this gateway while nothing of it runs; "" when none is known
	Launch   *Launch // how it was started by hand when its state was last saved; nil when that is not known
	Brew     string  // absolute path of brew, when the openshell formula is installed with it
	Snap     bool    // the openshell snap is installed
	Root     bool    // we are root: a command needs no sudo, which such a host may not have

	// How a person calls the programs that were found: by name where PATH leads to them, else by path; "" when there is
	// none.
	CallOpenShell, CallNemoClaw string
	OtherActive                 bool // openshell without -g means another gateway than this one, or none
}

// Probe is how one look at the host went. Code is stable and documented in docs/checks.md.
type Probe struct {
	Code   string
	State  drift.State // known: Detail says what; absent or unknown: Detail says why
	Detail string
	Took   time.Duration
}
