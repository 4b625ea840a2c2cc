package gateway

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// Provider is one provider record, without its wire format. Of credentials only the names are ever answered.
type Provider struct {
	ID, Name, Type, Workspace string
	Credentials               []string
	Config, Labels            map[string]string
	Created                   time.Time
}

// redacted stands for every credential's value in an answer.
const redacted = "REDACTED"

// encode is p as a Provider message of the given version: its own id and name to 0.0.36, metadata from then on.
func (p Provider) encode(version string) message {
	secrets := map[string]string{}
	for _, name := range p.Credentials {
		secrets[name] = redacted
	}
	var m message
	first := protowire.Number(2)
	if GenerationOf(version) == Cluster {
		m.text(1, p.ID)
		m.text(2, p.Name)
		first = 3
	} else {
		meta := Sandbox{ID: p.ID, Name: p.Name, Labels: p.Labels, Created: p.Created, Workspace: p.Workspace}
		m.embed(1, meta.meta(version))
	}

	m.text(first, p.Type)
	m.pairs(first+1, secrets)
	m.pairs(first+2, p.Config)
	return m
}

func (s *Server) listProviders(_ context.Context, in message) (message, error) {
	r, err := listSchema(s.Version, 3).read("ListProvidersRequest", in)
	if err != nil {
		return nil, err
	}
	all := s.Records.Providers()
	start, end := r.page(len(all))
	return s.providerList(all[start:end], end < len(all), end), nil
}

func (s *Server) providerList(some []Provider, more bool, end int) message {
	var m message
	for _, p := range some {
		m.embed(1, p.encode(s.Version))
	}
	if more && GenerationOf(s.Version) == Timestamps {
		m.text(2, strconv.Itoa(end))
	}
	return m
}

func (s *Server) getProvider(_ context.Context, in message) (message, error) {
	r, err := nameSchema(s.Version).read("GetProviderRequest", in)
	if err != nil {
		return nil, err
	}
	p, there := s.Records.provider(r.name)
	if !there {
		return nil, status.Error(codes.NotFound, "provider not found")
	}
	var m message
	m.embed(1, p.encode(s.Version))
	return m, nil
}

func (s *Server) sandboxProviders(ctx context.Context, in message) (message, error) {
	r, err := nameSchema(s.Version).read("ListSandboxProvidersRequest", in)
	if err != nil {
		return nil, err
	}
	sandbox, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	names := sandbox.providers()
	attached := slices.DeleteFunc(s.Records.Providers(), func(p Provider) bool { return !slices.Contains(names, p.Name) })
	return s.providerList(attached, false, 0), nil
}

// providersExist refuses a sandbox with a provider that there is not, before anything is made
// (crates/openshell-server/src/grpc/sandbox.rs).
func (s *Server) providersExist(sandbox Sandbox) error {
	for _, name := range sandbox.providers() {
		if _, there := s.Records.provider(name); !there {
			return status.Errorf(codes.FailedPrecondition, "provider '%s' not found", name)
		}
	}
	return nil
}
