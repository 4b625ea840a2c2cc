package gateway

import (
	"cmp"
	"time"
)

// Phase is the state of a sandbox as the API numbers it (enum SandboxPhase).
type Phase uint64

// The phases; 6 to 8 exist since 0.0.105, 9 since 0.1.0.
const (
	Unspecified Phase = iota
	Provisioning
	Ready
	Failed
	Deleting
	Unknown
	Stopping
	Stopped
	Starting
	Completed
)

// Sandbox is one sandbox, without its wire format.
type Sandbox struct {
	ID          string
	Name        string
	Workspace   string // "" is "default"
	Image       string
	Environment map[string]string
	Providers   []string
	Policy      []byte // SandboxPolicy in wire form
	Labels      map[string]string
	Annotations map[string]string
	Command     []string
	GPU         bool
	Phase       Phase
	Created     time.Time
	Spec        []byte // the spec as a client sent it; it is answered verbatim
	Later       []byte // fields of a future ObjectMeta, in wire form

	Reason, Message string // of its Ready condition
	Instance        string // the container; "" says "openshell-" and the name
	Revision        uint64 // resource_version; 0 says 1
	Unloaded        bool   // its supervisor has loaded no policy yet
}

// encode is s as a Sandbox message of the given version.
func (s Sandbox) encode(version string) message {
	switch GenerationOf(version) {
	case Cluster:
		return s.encodeCluster(version)
	case Metadata:
		return s.encodeMetadata(version)
	default:
		return s.encodeStatus(version)
	}
}

func (s Sandbox) encodeCluster(version string) message {
	var m message
	m.text(1, s.ID)
	m.text(2, s.Name)
	m.text(3, "openshell")
	m.embed(4, s.spec(version))
	m.embed(5, s.status(version))
	m.number(6, uint64(s.Phase))
	m.number(7, uint64(s.Created.UnixMilli()))
	m.number(8, s.policyVersion())
	return m
}

func (s Sandbox) encodeMetadata(version string) message {
	var m message
	m.embed(1, s.meta(version))
	m.embed(2, s.spec(version))
	m.embed(3, s.status(version))
	m.number(4, uint64(s.Phase))
	m.number(5, s.policyVersion())
	return m
}

func (s Sandbox) encodeStatus(version string) message {
	var m message
	m.embed(1, s.meta(version))
	m.embed(2, s.spec(version))
	m.embed(3, s.status(version))
	return m
}

func (s Sandbox) meta(version string) message {
	var m message
	m.text(1, s.ID)
	m.text(2, s.Name)
	if GenerationOf(version) < Timestamps {
		m.number(3, uint64(s.Created.UnixMilli()))
	}
	m.pairs(4, s.Labels)
	if Since(version, 44) {
		m.number(5, max(s.Revision, 1))
	}
	if Since(version, 84) {
		m.pairs(6, s.Annotations)
	}
	if Since(version, 88) {
		m.text(7, s.workspace())
	}
	if GenerationOf(version) == Timestamps {
		m.timestamp(103, s.Created)
	}
	return append(m, s.Later...)
}

// policyVersion is that of the policy that the sandbox has loaded.
func (s Sandbox) policyVersion() uint64 {
	if s.Unloaded {
		return 0
	}
	return 1
}

func (s Sandbox) workspace() string {
	if s.Workspace == "" {
		return "default"
	}
	return s.Workspace
}

// NewSpec is the SandboxSpec that a client of the given version would send to create s.
func (s Sandbox) NewSpec(version string) []byte { return s.spec(version) }

func (s Sandbox) spec(version string) message {
	if s.Spec != nil {
		return s.Spec
	}
	var m, template message
	template.text(1, s.Image)
	m.pairs(5, s.Environment)
	m.embed(6, template)
	if s.Policy != nil {
		m.embed(7, s.Policy)
	}
	m.texts(8, s.Providers)
	if s.GPU && Since(version, 69) {
		var gpu, resources message
		gpu.number(1, 1)
		resources.embed(1, gpu)
		m.embed(9, resources)
	} else {
		m.flag(9, s.GPU)
	}

	if Since(version, 111) {
		m.texts(12, s.Command)
	}
	return m
}

func (s Sandbox) status(version string) message {
	var m, condition message
	if GenerationOf(version) < Timestamps {
		m.text(1, s.Name)
	}
	m.text(2, cmp.Or(s.Instance, "openshell-"+s.Name))
	condition.text(1, "Ready")
	condition.text(2, map[bool]string{true: "True", false: "False"}[s.Phase == Ready])
	condition.text(3, s.Reason)
	condition.text(4, s.Message)
	if GenerationOf(version) == Timestamps && s.Reason != "" {
		condition.timestamp(105, s.Created)
	}
	m.embed(5, condition)
	if GenerationOf(version) >= Status {
		m.number(6, uint64(s.Phase))
		m.number(7, s.policyVersion())
	}
	return m
}
