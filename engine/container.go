package engine

import "time"

// Labels that OpenShell's docker and podman drivers put on sandbox containers
// (crates/openshell-core/src/driver_utils.rs).
const (
	LabelManagedBy   = "openshell.ai/managed-by" // value "openshell"
	LabelSandboxID   = "openshell.ai/sandbox-id"
	LabelSandboxName = "openshell.ai/sandbox-name"
	LabelNamespace   = "openshell.ai/sandbox-namespace"
	LabelWorkspace   = "openshell.ai/sandbox-workspace" // since v0.0.88
	LabelPodman      = "openshell.managed"              // value "true", podman driver
	LabelRole        = "openshell.ai/isolation-role"    // since v0.1.0
)

// Container is one container that carries OpenShell's sandbox labels. Docker's own types stay behind it.
type Container struct {
	ID          string // full hexadecimal id
	Host        string // address of the engine that runs it
	Name        string // without the leading slash
	SandboxID   string
	SandboxName string
	Namespace   string
	Workspace   string
	Role        string // of the containers of one sandbox: sandbox, supervisor, staging, identity; "" before OpenShell 0.1.0
	Podman      bool   // made by the podman driver: the home is a named volume
	Image       string
	ImageID     string
	State       string // created, running, paused, restarting, removing, exited, dead
	Labels      map[string]string
	Mounts      []Mount
	Ports       []int // host ports that it publishes, sorted; nil when only a listing was read
	Created     time.Time
	Started     time.Time // the last time; zero when it never was, or when only a listing was read
	AutoRemove  bool      // the engine removes it as soon as it stops (--rm); false when only a listing was read
	ReadOnly    bool      // its root file system is; false when only a listing was read
	Command     []string  // program and arguments of its main process; nil when only a listing was read
	Endpoint    string    // URL of the gateway that its supervisor talks to; "" when only a listing was read, or it has none
	HostNetwork bool      // it is on the host's own network; false when only a listing was read
}

// Mount is one mount of a container.
type Mount struct {
	Type        string // bind, volume, tmpfs
	Name        string // volume name
	Source      string // path on the engine's host
	Destination string // path in the container
	Plain       bool   // of a volume, and only told by OnHost: Source is all of it, also while no container runs
}

// Workload reports whether c is the sandbox itself. OpenShell 0.1.x runs further containers beside it that carry its
// labels: its supervisor, and for a short time a staging and an identity container (docs/facts/openshell-0.1.md 1.1).
func (c Container) Workload() bool { return c.Role == "" || c.Role == "sandbox" }

// Companion reports whether c is the supervisor of a sandbox in a container of its own.
func (c Container) Companion() bool { return c.Role == "supervisor" }

// Paired reports whether c is one of the containers of a sandbox of OpenShell 0.1.x, which only its gateway stops and
// starts.
func (c Container) Paired() bool { return c.Labels[LabelRole] != "" }

// Running reports whether processes of c may write to its home now.
func (c Container) Running() bool { return c.State == "running" || c.State == "restarting" }

// Paused reports whether c is frozen.
func (c Container) Paused() bool { return c.State == "paused" }
