package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const defaultWorkspace = "default"

// Key names a sandbox in a Backend: its name, with its workspace in front where that is not the default, as in
// "team2/alpha".
func (s Sandbox) Key() string { return keyOf(s.workspace(), s.Name) }

func keyOf(workspace, name string) string {
	if workspace == "" || workspace == defaultWorkspace {
		return name
	}
	return workspace + "/" + name
}

func splitKey(key string) (workspace, name string) {
	if workspace, name, found := strings.Cut(key, "/"); found {
		return workspace, name
	}
	return defaultWorkspace, key
}

// decodeSandbox reads a sandbox as a database holds it: the message of its generation, since 0.0.37.
func decodeSandbox(payload []byte) (Sandbox, error) {
	var s Sandbox
	fields, err := decode(payload)
	if err != nil {
		return s, fmt.Errorf("Sandbox.metadata: %w", err) //nolint:staticcheck // the gateway's own words
	}
	for _, f := range fields {
		switch f.number {
		case 1:
			err = s.readMetadata(f.bytes)
		case 2:
			s.Spec = slices.Clone(f.bytes)
		case 3:
			err = s.readStatus(f.bytes)
		case 4: // before 0.0.53
			s.Phase = Phase(f.varint)
		case 5:
			s.Unloaded = f.varint == 0
		}
		if err != nil {
			return s, fmt.Errorf("Sandbox.metadata: %w", err) //nolint:staticcheck // the gateway's own words
		}
	}

	if r, err := recipeOf(s.Spec); err == nil {
		s.Image = r.image
	}
	return s, nil
}

func (s *Sandbox) readMetadata(b []byte) error {
	fields, err := decode(b)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.number {
		case 1:
			s.ID = string(f.bytes)
		case 2:
			s.Name = string(f.bytes)
		case 3:
			s.Created = time.UnixMilli(int64(f.varint))
		case 4:
			err = toPair(&s.Labels, f)
		case 5: // the column says it
		case 6:
			err = toPair(&s.Annotations, f)
		case 7:
			s.Workspace = string(f.bytes)
		case 103:
			s.Created, err = timeOf(f.bytes)
		default:
			s.Later = append(s.Later, f.encode()...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// timeOf reads a Timestamp: seconds1, nanos2.
func timeOf(b []byte) (at time.Time, err error) {
	fields, err := decode(b)
	var seconds, nanos int64
	for _, f := range fields {
		switch f.number {
		case 1:
			seconds = int64(f.varint)
		case 2:
			nanos = int64(f.varint)
		}
	}
	return time.Unix(seconds, nanos), err
}

func (s *Sandbox) readStatus(b []byte) error {
	s.Unloaded = true
	fields, err := decode(b)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.number {
		case 2:
			s.Instance = string(f.bytes)
		case 5:
			err = s.readCondition(f.bytes)
		case 6:
			s.Phase = Phase(f.varint)
		case 7:
			s.Unloaded = f.varint == 0
		}
		if err != nil {
			return err
		}
	}

	return nil
}

func (s *Sandbox) readCondition(b []byte) error {
	fields, err := decode(b)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.number {
		case 3:
			s.Reason = string(f.bytes)
		case 4:
			s.Message = string(f.bytes)
		}
	}
	return nil
}

// encode is the field as it was on the wire; of the fixed kinds nothing is kept.
func (f field) encode() message {
	var m message
	switch f.kind {
	case protowire.VarintType:
		m = protowire.AppendVarint(protowire.AppendTag(m, f.number, f.kind), f.varint)
	case protowire.BytesType:
		m.embed(f.number, f.bytes)
	}
	return m
}
