package gateway

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// request is what any of the sandbox RPCs asks for; each fills what it knows.
type request struct {
	name      string
	workspace string
	limit     int
	offset    int
	spec      []byte
	labels    map[string]string
	command   []string
	workdir   string
	env       map[string]string
	stdin     []byte

	allWorkspaces bool
	allowMissing  bool

	annotations  map[string]string
	revision     uint64
	setting      string
	value        []byte
	service      Service
	global       bool
	untilSettled bool
}

// page is the part of n things that is asked for: 100 where no size is named, never more than 1,000.
func (r request) page(n int) (start, end int) {
	limit := min(max(r.limit, 0), 1000)
	if limit == 0 {
		limit = 100
	}
	return min(r.offset, n), min(r.offset+limit, n)
}

// schema says where in a request message a generation looks for what, and which wire type it insists on.
type schema map[protowire.Number]slot

type slot struct {
	field string // the schema's name of it, for prost's error texts
	kind  protowire.Type
	fill  func(*request, field) error
}

// read decodes a request message; what does not fit is INTERNAL with prost's words, as tonic answers it.
func (s schema) read(message string, b []byte) (request, error) {
	var r request
	fields, err := decode(b)
	if err != nil {
		return r, undecodable(message, "", err)
	}
	for _, f := range fields {
		slot, known := s[f.number]
		if !known {
			continue
		}
		if err := f.wants(slot.kind); err != nil {
			return r, undecodable(message, slot.field, err)
		}
		if err := slot.fill(&r, f); err != nil {
			return r, undecodable(message, slot.field, err)
		}
	}

	return r, nil
}

func undecodable(message, field string, err error) error {
	if field != "" {
		message += "." + field
	}
	return status.Errorf(codes.Internal, "failed to decode Protobuf message: %s: %v", message, err)
}

func toName(r *request, f field) error      { r.name = string(f.bytes); return nil }
func toLimit(r *request, f field) error     { r.limit = int(f.varint); return nil }
func toOffset(r *request, f field) error    { r.offset = int(f.varint); return nil }
func toSpec(r *request, f field) error      { r.spec = f.bytes; return nil }
func toWorkspace(r *request, f field) error { r.workspace = string(f.bytes); return nil }
func toCommand(r *request, f field) error   { r.command = append(r.command, string(f.bytes)); return nil }
func toWorkdir(r *request, f field) error   { r.workdir = string(f.bytes); return nil }
func toStdin(r *request, f field) error     { r.stdin = f.bytes; return nil }
func toLabels(r *request, f field) error    { return toPair(&r.labels, f) }
func toEnv(r *request, f field) error       { return toPair(&r.env, f) }

func toAllowMissing(r *request, f field) error { r.allowMissing = f.varint != 0; return nil }

func toAllWorkspaces(r *request, f field) error {
	r.allWorkspaces = f.varint != 0
	return nil
}

func toAnnotations(r *request, f field) error  { return toPair(&r.annotations, f) }
func toRevision(r *request, f field) error     { r.revision = f.varint; return nil }
func toGlobal(r *request, f field) error       { r.global = f.varint != 0; return nil }
func toUntilSettled(r *request, f field) error { r.untilSettled = f.varint != 0; return nil }

func toSetting(r *request, f field) error     { r.setting = string(f.bytes); return nil }
func toValue(r *request, f field) error       { r.value = f.bytes; return nil }
func toServiceName(r *request, f field) error { r.service.Name = string(f.bytes); return nil }
func toServicePort(r *request, f field) error { r.service.Port = f.varint; return nil }

func toPair(into *map[string]string, f field) error {
	parts, err := decode(f.bytes)
	if err != nil {
		return err
	}
	var name, value string
	for _, part := range parts {
		switch part.number {
		case 1:
			name = string(part.bytes)
		case 2:
			value = string(part.bytes)
		}
	}

	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[name] = value
	return nil
}

// toSelector reads a WorkspaceSelector: workspace1 or all_workspaces2.
func toSelector(r *request, f field) error {
	parts, err := decode(f.bytes)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := part.wants(protowire.BytesType); err != nil {
			return err
		}
		switch part.number {
		case 1:
			r.workspace = string(part.bytes)
		case 2:
			r.allWorkspaces = true
		}
	}
	return nil
}

// toToken reads a page token; ours are offsets in decimal.
func toToken(r *request, f field) error {
	for _, digit := range f.bytes {
		r.offset = r.offset*10 + int(digit-'0')
	}
	return nil
}
