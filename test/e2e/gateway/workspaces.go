package gateway

import (
	"context"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// workspaced is a backend that knows which workspaces there are. Any other has every workspace that is asked for.
type workspaced interface {
	Workspaces(ctx context.Context) ([]string, error)
}

// createWorkspace makes a workspace; one that is there is refused.
func (s *Server) createWorkspace(ctx context.Context, in message) (message, error) {
	r, err := schema{1: {"name", lengthed, toName}}.read("CreateWorkspaceRequest", in)
	if err != nil {
		return nil, err
	}
	backend, makes := s.Backend.(interface {
		workspaced
		AddWorkspace(ctx context.Context, name string) error
	})
	if !makes {
		return nil, status.Error(codes.Unimplemented, "")
	}
	all, err := backend.Workspaces(ctx)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(all, r.name):
		return nil, status.Errorf(codes.AlreadyExists, "workspace '%s' already exists", r.name)
	}

	return nil, backend.AddWorkspace(ctx, r.name)
}

func (s *Server) listWorkspaces(ctx context.Context, in message) (message, error) {
	r, err := listSchema(s.Version, 4).read("ListWorkspacesRequest", in)
	if err != nil {
		return nil, err
	}
	all := []string{"default"}
	if backend, knows := s.Backend.(workspaced); knows {
		if all, err = backend.Workspaces(ctx); err != nil {
			return nil, err
		}
	}

	start, end := r.page(len(all))
	var m message
	for _, name := range all[start:end] {
		var workspace message
		workspace.embed(1, Sandbox{ID: "workspace-" + name, Name: name}.meta(s.Version))
		m.embed(1, workspace)
	}

	if GenerationOf(s.Version) == Timestamps && end < len(all) {
		m.text(2, strconv.Itoa(end))
	}
	return m, nil
}

// key is that of the sandbox that a request names.
func (r request) key() string { return keyOf(r.workspace, r.name) }

// named is the sandbox that a request names.
func (s *Server) named(ctx context.Context, r request) (Sandbox, error) {
	if err := s.workspaceExists(ctx, r); err != nil {
		return Sandbox{}, err
	}
	return s.find(ctx, r.key())
}

// within are the sandboxes of the workspace that a request names, or of all. Since 0.1.0 it must name one.
func (s *Server) within(ctx context.Context, r request) ([]Sandbox, error) {
	switch {
	case r.allWorkspaces && r.workspace != "":
		return nil, status.Error(codes.InvalidArgument, "all_workspaces and workspace are mutually exclusive")
	case GenerationOf(s.Version) == Timestamps && r.workspace == "" && !r.allWorkspaces:
		return nil, status.Error(codes.InvalidArgument, "workspace_scope is required")
	}

	if err := s.workspaceExists(ctx, r); err != nil {
		return nil, err
	}
	all, err := s.Backend.List(ctx)
	if err != nil || r.allWorkspaces || !Since(s.Version, 88) {
		return all, err
	}
	wanted := Sandbox{Workspace: r.workspace}.workspace()
	return slices.DeleteFunc(all, func(found Sandbox) bool { return found.workspace() != wanted }), nil
}

func (s *Server) workspaceExists(ctx context.Context, r request) error {
	backend, knows := s.Backend.(workspaced)
	if !knows || r.workspace == "" {
		return nil
	}
	all, err := backend.Workspaces(ctx)
	if err == nil && !slices.Contains(all, r.workspace) {
		err = status.Errorf(codes.NotFound, "workspace '%s' not found", r.workspace)
	}
	return err
}
