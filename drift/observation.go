// Package drift answers one question: do the OpenShell versions seen on a host agree? It compares evidence that others
// gathered and does no I/O.
package drift

// State says how much is known about one piece of evidence. Nothing is guessed: a fact is known, absent or unknown.
type State string

// The states of evidence.
const (
	Absent  State = "absent"  // looked for, and it is not there
	Unknown State = "unknown" // could not be found out; Why says what was in the way
	Known   State = "known"
)

// Evidence is one version as it was found. A Version that is not known (0.0.0, a build without one, or no version at
// all) counts as unknown evidence. The zero value is absent.
type Evidence struct {
	State   State
	Version Version
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

// Gateway is the version of the gateway that runs now, by the evidence that decides in Assess: an active cluster's
// image, else without a cluster the live process, else the gateway's own answer. A Version that is not Known means that
// nothing tells it.
func (o Observation) Gateway() Version {
	decisive := o.Process.Evidence
	if o.Cluster.Active {
		decisive = o.Cluster.Evidence
	}
	for _, e := range []Evidence{decisive, o.Served.Evidence} {
		if v, ok := version(e); ok {
			return v
		}
	}
	return Version{}
}

// Cluster is the legacy cluster container (OpenShell 0.0.36 and older). Its version is that of its image reference.
type Cluster struct {
	Evidence
	// Active means that the container runs, publishes the gateway's port and answers under the gateway's name. A
	// container that is not active proves nothing and hides nothing.
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
