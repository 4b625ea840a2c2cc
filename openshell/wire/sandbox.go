package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
)

// SandboxMessage is what we read of a Sandbox message.
type SandboxMessage struct {
	ID, Name, Workspace string
	Labels, Annotations map[string]string
	Created             time.Time
	Phase               uint64
	Reason              string // of the last condition that is not true, "ContainerExited: exit code 1"; "" without one
	Spec                []byte // SandboxSpec as it came
}

var errOtherGeneration = errors.New("laid out as another generation of OpenShell does")

// ReadSandbox reads a Sandbox message by the layout of the version. A message of another layout is an error also where
// it would decode, as the phase would then be missing from it. Without a known generation the layout is told from the
// message itself.
func (v Version) ReadSandbox(b []byte) (SandboxMessage, error) {
	m, err := Parse(b)
	if err != nil {
		return SandboxMessage{}, fmt.Errorf("message Sandbox: %w", err)
	}
	s, err := v.sandbox(m)
	if err != nil {
		return SandboxMessage{}, fmt.Errorf("message Sandbox: %w", err)
	}
	return s, nil
}

func (v Version) sandbox(m Message) (SandboxMessage, error) {
	layout := v.Generation
	if layout == Unknown {
		layout = layoutOf(m)
	}
	switch {
	case layout == Cluster:
		return clusterSandbox(m)
	case layout == Metadata && statusHas(m, statusPhase), layout > Metadata && m.Has(sandboxPhase):
		return SandboxMessage{}, fmt.Errorf("phase: %w", errOtherGeneration)
	}
	return metadataSandbox(m, layout)
}

// layoutOf tells the generation of a message: an id is never a message that has an id and a name.
func layoutOf(m Message) Generation {
	meta, err := m.Sub(sandboxMetadata)
	switch {
	case err != nil || !meta.Has(metaID) || !meta.Has(metaName):
		return Cluster
	case m.Has(sandboxPhase):
		return Metadata
	case meta.Has(metaCreatedTime):
		return Timestamps
	}
	return Status
}

func clusterSandbox(m Message) (SandboxMessage, error) {
	var s SandboxMessage
	var err error
	if s.ID, s.Name, err = named(m, clusterID, clusterName); err != nil {
		return s, err
	}
	if s.Phase, err = m.Number(clusterPhase); err != nil {
		return s, fmt.Errorf("phase: %w", err)
	}
	created, err := m.Number(clusterCreatedMs)
	if err != nil {
		return s, fmt.Errorf("created_at_ms: %w", err)
	}
	s.Created = milliseconds(created)
	if s.Spec, err = m.Content(clusterSpec); err != nil {
		return s, fmt.Errorf("spec: %w", err)
	}
	status, err := m.Sub(clusterStatus)
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	s.Reason, err = reason(status)
	return s, err
}

func metadataSandbox(m Message, layout Generation) (SandboxMessage, error) {
	var s SandboxMessage
	meta, err := m.Sub(sandboxMetadata)
	if err != nil {
		return s, fmt.Errorf("metadata: %w", err)
	}
	if err := s.readMetadata(meta, layout); err != nil {
		return s, fmt.Errorf("metadata: %w", err)
	}
	if s.Spec, err = m.Content(sandboxSpec); err != nil {
		return s, fmt.Errorf("spec: %w", err)
	}
	status, err := m.Sub(sandboxStatus)
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	if layout == Metadata {
		s.Phase, err = m.Number(sandboxPhase)
	} else {
		s.Phase, err = status.Number(statusPhase)
	}

	if err != nil {
		return s, fmt.Errorf("phase: %w", err)
	}
	s.Reason, err = reason(status)
	return s, err
}

func (s *SandboxMessage) readMetadata(meta Message, layout Generation) error {
	var err error
	if s.ID, s.Name, err = named(meta, metaID, metaName); err != nil {
		return err
	}
	if s.Labels, err = meta.Pairs(metaLabels); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	if s.Annotations, err = meta.Pairs(metaAnnotations); err != nil {
		return fmt.Errorf("annotations: %w", err)
	}
	if s.Workspace, err = meta.Text(metaWorkspace); err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	s.Created, err = created(meta, layout)
	return err
}

func created(meta Message, layout Generation) (time.Time, error) {
	if layout != Timestamps {
		ms, err := meta.Number(metaCreatedMs)
		if err != nil || meta.Has(metaCreatedTime) {
			return time.Time{}, fmt.Errorf("created_at_ms: %w", errors.Join(errOtherGeneration, err))
		}
		return milliseconds(ms), nil
	}

	if meta.Has(metaCreatedMs) {
		return time.Time{}, fmt.Errorf("created_time: %w", errOtherGeneration)
	}
	stamp, err := meta.Sub(metaCreatedTime)
	if err != nil || len(stamp) == 0 {
		return time.Time{}, err
	}
	seconds, err := stamp.Number(1)
	if err != nil {
		return time.Time{}, err
	}
	nanos, err := stamp.Number(2)
	return time.Unix(int64(seconds), int64(nanos)).UTC(), err
}

func milliseconds(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// identity is the id and name of anything that has an ObjectMeta or, in old generations, fields of its own for them.
func (v Version) identity(b []byte) (id, name string, err error) {
	m, err := Parse(b)
	if err != nil {
		return "", "", err
	}
	layout := v.Generation
	if layout == Unknown {
		layout = layoutOf(m)
	}
	if layout == Cluster {
		return named(m, clusterID, clusterName)
	}
	meta, err := m.Sub(sandboxMetadata)
	if err != nil {
		return "", "", fmt.Errorf("metadata: %w", err)
	}
	return named(meta, metaID, metaName)
}

// named reads an id and a name. Both are always there and are words; anything else was meant to be something else.
//
//nolint:unparam // that both generations number the id 1 is for the table of fields to know
func named(m Message, idField, nameField protowire.Number) (id, name string, err error) {
	if id, err = m.Text(idField); err != nil {
		return "", "", fmt.Errorf("id: %w", err)
	}
	if name, err = m.Text(nameField); err != nil {
		return "", "", fmt.Errorf("name: %w", err)
	}
	if !word(id) || !word(name) {
		return "", "", fmt.Errorf("id or name is missing: %w", errOtherGeneration)
	}
	return id, name, nil
}

func word(text string) bool { return text != "" && !strings.ContainsFunc(text, unicode.IsControl) }

func statusHas(m Message, number protowire.Number) bool {
	status, err := m.Sub(sandboxStatus)
	return err == nil && status.Has(number)
}

// reason says why a sandbox is not what it should be.
func reason(status Message) (string, error) {
	conditions, err := status.Contents(statusConditions)
	if err != nil {
		return "", fmt.Errorf("conditions: %w", err)
	}
	why := ""
	for _, content := range conditions {
		m, err := Parse(content)
		if err != nil {
			return "", fmt.Errorf("conditions: %w", err)
		}
		if state, _ := m.Text(conditionStatus); state == "True" {
			continue
		}
		short, _ := m.Text(conditionReason)
		long, _ := m.Text(conditionMessage)
		why = strings.Trim(short+": "+long, ": ")
	}

	return why, nil
}
