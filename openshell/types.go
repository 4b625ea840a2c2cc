// Package openshell is the openshell command line as a library: find it, run it bounded, and read every generation of
// its output.
package openshell

import "time"

// Status is what `openshell status` says (docs/facts/openshell.md 2.2), from JSON (0.0.92+) or text.
type Status struct {
	Gateway  string // name; "" when it did not say
	Server   string // endpoint URL
	Status   string // "connected", "connected_http", "error", "disconnected", "not_configured"; "" when unreadable
	Version  string // the gateway's own version; only there when connected
	Auth     string
	Error    string // one cleaned line
	Endpoint string // "Gateway endpoint:" of old generations; otherwise equal to Server
}

// Connected reports whether a gateway answered over gRPC.
func (s Status) Connected() bool { return s.Status == "connected" }

// Registration is one gateway that the CLI knows: metadata.json, or an item of `openshell gateway list -o json`.
type Registration struct {
	Name     string
	Endpoint string // URL
	Port     int
	Auth     string // "mtls", "plaintext", "oidc", "cloudflare_jwt"; "" when unsaid
	Active   bool
	Remote   bool
	Version  string // the gateway's own version; only from the live `gateway info` of 0.0.85 and newer
}

// ListedSandbox is one row of `openshell sandbox list`, whichever generation printed it.
type ListedSandbox struct {
	ID        string // "" in text generations
	Name      string
	Workspace string
	Labels    map[string]string
	Phase     string // "Ready", "Stopped", …, "Unspecified"
	Reason    string // why it is not Ready, in the gateway's words, one line; "" where it gave none
	CreatedAt time.Time
}

// Ready reports whether the row's phase says that the sandbox can be used.
func (s ListedSandbox) Ready() bool { return PhaseReady(s.Phase) }

// PhaseReady reports whether a phase says that a sandbox can be used.
func PhaseReady(phase string) bool { return phase == "Ready" || phase == "Running" }
