package drift

// Verdict is what the evidence allows.
type Verdict string

// The verdicts.
const (
	Pass       Verdict = "pass"       // something that serves now agrees with the CLI, and nothing disagrees
	Refuse     Verdict = "refuse"     // something disagrees
	Unverified Verdict = "unverified" // nothing disagrees, and nothing confirms agreement
)

// Kind names a finding that refuses; the values are part of the JSON contract (docs/design.md 4.2).
type Kind string

// The kinds of drift and mismatch.
const (
	ImageDrift       Kind = "image_drift"
	HostProcessDrift Kind = "host_process_drift"
	ServedDrift      Kind = "served_version_drift"
	ProtobufMismatch Kind = "protobuf_mismatch" // never found by Assess: a state call's answer was not decodable
)

// Source says which evidence a host-process drift rests on.
type Source string

// Where a gateway's version was read: from the image that the live process runs, or from the file that would be
// launched next.
const (
	FromProcess Source = "process"
	FromFile    Source = "file"
)

// Finding is one disagreement between the CLI and a gateway. Only the fields of its kind are set.
type Finding struct {
	Kind      Kind
	Source    Source  // host_process_drift
	Installed Version // the CLI's
	Running   Version // the gateway's
	Binary    string  // host_process_drift
	PID       int     // host_process_drift from a process
	Image     string  // image_drift
	Container string  // image_drift
	Endpoint  string  // served_version_drift
}

// Assessment is the result of Assess.
type Assessment struct {
	Verdict  Verdict
	Findings []Finding // most decisive first; empty unless the verdict is Refuse
	Warnings []string  // true now and worth knowing: "file … is 0.0.44: will drift on next restart"
	// Confirmed says which evidence agreed, in words ("process 4242 runs 0.0.37"); empty unless the verdict is Pass.
	Confirmed string
	// Doubt says why nothing could be confirmed; empty unless the verdict is Unverified.
	Doubt string
}
