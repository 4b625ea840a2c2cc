// Package preflight answers one question: may this host be worked on now? Ordered checks make a report; the gate turns
// drift into a refusal with recovery guidance; the same words serve people and, as data, machines.
package preflight

import (
	"sandkeeper/drift"
)

// Status is how one check ended.
type Status string

// The four outcomes of a check.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip" // a check that it needs did not pass; Detail says which
)

// Result is what a check found and, when it is not a pass, what to do about it.
type Result struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"` // one command that can be pasted and exists on this host; or ""
	TookMs int64  `json:"tookMs"`
	// Kind is what a script is told of a failure: an error.kind of docs/design.md 4.2; "" is check_failed.
	Kind string `json:"kind,omitempty"`
}

// Issue is why the gate refuses, as data (docs/design.md 4.2). Fields that its kind does not have are empty.
type Issue struct {
	Kind      drift.Kind    `json:"kind"`
	Source    drift.Source  `json:"source"`
	Installed drift.Version `json:"installed"`
	Running   drift.Version `json:"running"`
	Binary    string        `json:"binary"`
	PID       int           `json:"pid"`
	Image     string        `json:"image"`
	Container string        `json:"container"`
	Endpoint  string        `json:"endpoint"`
	Output    string        `json:"output"`
	Gateway   string        `json:"gateway"`
	// Drift is, for protobuf_mismatch, the kind of drift that explains it; the fields above are then that drift's. ""
	// when none was found.
	Drift drift.Kind `json:"drift,omitempty"`
	// Why says in a sentence or two what the evidence means: which side is behind, and whether a restart is all that is
	// missing.
	Why string `json:"why,omitempty"`
}

// drifted is the kind of drift that i rests on; "" for a mismatch that no drift explains.
func (i Issue) drifted() drift.Kind {
	if i.Kind == drift.ProtobufMismatch {
		return i.Drift
	}
	return i.Kind
}

// Marker is the runtime marker as the report shows it.
type Marker struct {
	Path   string `json:"path"`
	State  string `json:"state"` // live, stale, invalid, absent
	Reason string `json:"reason"`
}

// Report is the outcome of the preflight.
type Report struct {
	Verdict  drift.Verdict `json:"verdict"`
	Gateway  string        `json:"gateway"`
	Issue    *Issue        `json:"issue"`
	Marker   Marker        `json:"marker"`
	Checks   []Result      `json:"checks"`
	Recovery []string      `json:"recovery"` // one step a string, in order; empty on pass
	Warnings []string      `json:"warnings"`
	Doubt    string        `json:"doubt,omitempty"` // for unverified: why
	// SkippedChecks are the checks whose failures the operator chose to take as warnings.
	SkippedChecks []string `json:"skippedChecks,omitempty"`
	// DataChanged is set by a caller that had already changed sandbox data when the issue showed: the block then does
	// not claim otherwise.
	DataChanged bool `json:"-"`
}

// Refused reports whether nothing may be done that trusts the gateway.
func (r Report) Refused() bool { return r.Verdict == drift.Refuse }
