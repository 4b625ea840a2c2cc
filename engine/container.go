package engine

import "time"

// Labels that OpenShell's docker and podman drivers put on sandbox containers (crates/openshell-core/src/driver_utils.rs).
const (
	LabelManagedBy   = "openshell.ai/managed-by" // value "openshell"
	LabelSandboxID   = "openshell.ai/sandbox-id"
	LabelSandboxName = "openshell.ai/sandbox-name"
	LabelNamespace   = "openshell.ai/sandbox-namespace"
	LabelWorkspace   = "openshell.ai/sandbox-workspace" // since v0.0.88
	LabelPodman      = "openshell.managed"              // value "true", podman driver
)

// Container is one container that carries OpenShell's sandbox labels. Docker's own types stay behind it.
type Container struct {
	ID          string // full hexadecimal id
	Name        string // without the leading slash
	SandboxID   string
	SandboxName string
	Namespace   string
	Workspace   string
	Podman      bool // made by the podman driver: the home is a named volume
	Image       string
	ImageID     string
	State       string // created, running, paused, restarting, removing, exited, dead
	Labels      map[string]string
	Mounts      []Mount
	Ports       []int // host ports that it publishes, sorted; nil when only a listing was read
	Created     time.Time
	Started     time.Time // the last time; zero when it never was, or when only a listing was read
	AutoRemove  bool      // the engine removes it as soon as it stops (--rm); false when only a listing was read
}

// Mount is one mount of a container.
type Mount struct {
	Type        string // bind, volume, tmpfs
	Name        string // volume name
	Source      string // path on the engine's host
	Destination string // path in the container
}

// Running reports whether processes of c may write to its home now.
func (c Container) Running() bool { return c.State == "running" || c.State == "restarting" }

// Paused reports whether c is frozen.
func (c Container) Paused() bool { return c.State == "paused" }
