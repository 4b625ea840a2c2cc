// Package drift answers one question: do the OpenShell versions seen on a host agree? It compares evidence that others gathered
// and does no I/O.
package drift

// State says how much is known about one piece of evidence. Nothing is guessed: a fact is known, absent or unknown.
type State string

// The states of evidence.
const (
	Absent  State = "absent"  // looked for, and it is not there
	Unknown State = "unknown" // could not be found out; Why says what was in the way
	Known   State = "known"
)

// Evidence is one version as it was found. Version is the text as printed; Assess parses it, and what does not parse as a version
// (or is 0.0.0, a build without one) counts as unknown. The zero value is absent.
type Evidence struct {
	State   State
	Version string
	Why     string // for unknown: what was in the way; for absent: where it was looked for
}

// Observation is everything about versions that was seen on one host for one gateway.
type Observation struct {
	CLI     Evidence // what `openshell --version` prints
	Cluster Cluster
	Process Process
	File    File
	Served  Served
}

// Cluster is the legacy cluster container (OpenShell 0.0.36 and older). Its version is that of its image reference.
type Cluster struct {
	Evidence
	// Active means that the container runs, publishes the gateway's port and answers under the gateway's name. A container that
	// is not active proves nothing and hides nothing.
	Active    bool
	Container string // container name
	Image     string // image reference as inspected
}

// Process is the live host-process gateway and the version of the image that it really runs.
type Process struct {
	Evidence
	Binary string // the path that identifies it; may have been replaced or deleted since
	PID    int
}

// File is the gateway binary on disk that would be launched next.
type File struct {
	Evidence
	Path string
}

// Served is the version that the answering gateway itself reports.
type Served struct {
	Evidence
	Endpoint string // URL
}
