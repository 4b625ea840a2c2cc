package gateway

import (
	"cmp"
	"context"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// healthy is HEALTHY in both ServiceStatus enums.
const healthy = 1

func (s *Server) health(context.Context, message) (message, error) {
	var m message
	m.number(1, healthy)
	m.text(2, cmp.Or(s.Says, s.Version))
	return m, nil
}

func (s *Server) info(context.Context, message) (message, error) {
	var m, driver, capabilities message
	capabilities.text(1, "docker")
	capabilities.text(2, s.Version)
	driver.text(1, "docker")
	driver.embed(2, capabilities)
	m.number(1, healthy)
	m.text(2, cmp.Or(s.Says, s.Version))
	m.embed(3, driver)
	return m, nil
}

func (s *Server) list(ctx context.Context, in message) (message, error) {
	r, err := listSchema(s.Version, 4).read("ListSandboxesRequest", in)
	if err != nil {
		return nil, err
	}
	all, err := s.within(ctx, r)
	if err != nil {
		return nil, err
	}
	start, end := r.page(len(all))
	var m message
	for _, sandbox := range all[start:end] {
		m.embed(1, sandbox.encode(s.Version))
	}
	if GenerationOf(s.Version) == Timestamps && end < len(all) {
		m.text(2, strconv.Itoa(end))
	}
	return m, nil
}

func (s *Server) get(ctx context.Context, in message) (message, error) {
	r, err := nameSchema(s.Version).read("GetSandboxRequest", in)
	if err != nil {
		return nil, err
	}
	sandbox, err := s.named(ctx, r)
	return s.answer(sandbox, err)
}

func (s *Server) create(ctx context.Context, in message) (message, error) {
	r, err := createSchema(s.Version).read("CreateSandboxRequest", in)
	if err != nil {
		return nil, err
	}
	if err := s.workspaceExists(ctx, r); err != nil {
		return nil, err
	}
	wanted := Sandbox{Name: r.name, Workspace: r.workspace, Labels: r.labels, Annotations: r.annotations, Spec: r.spec}
	if err := s.providersExist(wanted); err != nil {
		return nil, err
	}
	sandbox, err := s.Backend.Create(ctx, wanted)
	return s.answer(sandbox, err)
}

func (s *Server) delete(ctx context.Context, in message) (message, error) {
	if GenerationOf(s.Version) == Timestamps {
		return s.deleteWithOutcome(ctx, in)
	}
	r, err := nameSchema(s.Version).read("DeleteSandboxRequest", in)
	if err != nil {
		return nil, err
	}
	deleted, err := s.Backend.Delete(ctx, r.key())
	if err != nil {
		return nil, err
	}
	var m message
	m.flag(1, deleted)
	return m, nil
}

// Outcomes of a deletion since 0.1.0.
const (
	deletionCompleted = 1
	deletionAccepted  = 2
	alreadyAbsent     = 3
)

// deleteWithOutcome says since 0.1.0 what became of it: what is still listed was only accepted, what is missing may be
// asked for.
func (s *Server) deleteWithOutcome(ctx context.Context, in message) (message, error) {
	schema := nameSchema(s.Version)
	schema[3] = slot{"allow_missing", varint, toAllowMissing}
	r, err := schema.read("DeleteSandboxRequest", in)
	if err != nil {
		return nil, err
	}
	var m message
	known, err := s.named(ctx, r)
	if status.Code(err) == codes.NotFound && r.allowMissing {
		m.number(2, alreadyAbsent)
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.Backend.Delete(ctx, r.key()); err != nil {
		return nil, err
	}
	m.number(2, deletionCompleted)
	if _, err := s.find(ctx, known.ID); err == nil {
		m = nil
		m.number(2, deletionAccepted)
	}
	m.text(3, known.ID)
	return m, nil
}

func (s *Server) phase(to Phase) unary {
	return func(ctx context.Context, in message) (message, error) {
		r, err := nameSchema(s.Version).read("StopSandboxRequest", in)
		if err != nil {
			return nil, err
		}
		sandbox, err := s.Backend.SetPhase(ctx, r.key(), to)
		return s.answer(sandbox, err)
	}
}

func (s *Server) answer(sandbox Sandbox, err error) (message, error) {
	if err != nil {
		return nil, err
	}
	var m message
	m.embed(1, sandbox.encode(s.Version))
	return m, nil
}

// find looks a sandbox up by its key, or by its id as ExecSandbox does before 0.1.0.
func (s *Server) find(ctx context.Context, key string) (Sandbox, error) {
	all, err := s.Backend.List(ctx)
	if err != nil {
		return Sandbox{}, err
	}
	for _, sandbox := range all {
		if sandbox.Key() == key || sandbox.ID == key {
			return sandbox, nil
		}
	}
	return Sandbox{}, status.Error(codes.NotFound, "sandbox not found")
}

func (s *Server) exec(stream grpc.ServerStream, in message) error {
	r, err := execSchema(s.Version).read("ExecSandboxRequest", in)
	if err != nil {
		return err
	}
	sandbox, err := s.find(stream.Context(), r.key())
	if err != nil {
		return err
	}
	if sandbox.Phase != Ready {
		return status.Error(codes.FailedPrecondition, "sandbox is not ready")
	}
	exit, err := s.Backend.Exec(stream.Context(), sandbox, Exec{
		Argv: r.command, Workdir: r.workdir, Env: r.env, Stdin: r.stdin,
		Stdout: events{stream, 1}, Stderr: events{stream, 2},
	})
	if err != nil {
		return err
	}
	var code, event message
	code.number(1, uint64(exit))
	event.embed(3, code)
	return stream.SendMsg(event)
}

// events sends what is written to it as ExecSandboxEvent messages: stdout1{data1}, stderr2{data1}.
type events struct {
	stream grpc.ServerStream
	field  int32
}

// Write sends p as one event.
func (e events) Write(p []byte) (int, error) {
	var data, event message
	data.text(1, string(p))
	switch e.field {
	case 1:
		event.embed(1, data)
	default:
		event.embed(2, data)
	}
	return len(p), e.stream.SendMsg(event)
}
