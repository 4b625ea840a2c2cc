// Package gateway is an OpenShell gateway for tests: it speaks the gRPC of every wire generation
// (docs/facts/openshell.md 3.2), so that real openshell command lines of any version can be run against any gateway
// version and what they really print can be seen. No gateway binary is published anywhere that tests can reach; that
// is why this one exists.
package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Exec is one command to run in a sandbox.
type Exec struct {
	Argv    []string
	Workdir string
	Env     map[string]string
	Stdin   []byte
	Stdout  io.Writer
	Stderr  io.Writer
}

// Backend holds the sandboxes behind a gateway. Its methods answer gRPC status errors; they take sandboxes by Key.
type Backend interface {
	List(ctx context.Context) ([]Sandbox, error)
	Create(ctx context.Context, s Sandbox) (Sandbox, error)
	Delete(ctx context.Context, key string) (deleted bool, err error)
	SetPhase(ctx context.Context, key string, p Phase) (Sandbox, error)
	Exec(ctx context.Context, s Sandbox, e Exec) (exit int, err error)
}

// Server is a gateway of one version in front of a backend.
type Server struct {
	Version string
	Says    string // the version it reports, when that is another one ("0.0.0" is a build without a version)
	Backend Backend
	Records *Records            // nil: the gateway knows no provider
	Calls   func(method string) // told of every RPC when set
	Heard   func(Exchange)      // told of every unary RPC when it has been answered

	TLS   *tls.Config // nil: plaintext
	Token string      // the bearer token that every RPC but Health must bring; "" asks for none
}

// Exchange is one unary RPC: what was asked and what was answered, in wire form.
type Exchange struct {
	Method          string // "CreateSandbox"
	Request, Answer []byte
}

// Serve answers on l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(s.handle)}
	if s.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.TLS)))
	}
	g := grpc.NewServer(options...)
	stop := context.AfterFunc(ctx, g.Stop)
	defer stop()
	return g.Serve(l)
}

// raw hands message bytes through: which schema they follow is the handler's matter.
type raw struct{}

// Name claims protobuf's name, which is what clients ask for.
func (raw) Name() string { return "proto" }

// Marshal takes a message's bytes as they are.
func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.(message)
	if !ok {
		return nil, fmt.Errorf("%T is not a raw message", v)
	}
	return b, nil
}

// Unmarshal keeps a copy of the bytes: gRPC uses its buffer again.
func (raw) Unmarshal(data []byte, v any) error {
	into, ok := v.(*message)
	if !ok {
		return fmt.Errorf("%T cannot take a raw message", v)
	}
	*into = append(message{}, data...)
	return nil
}

func (s *Server) handle(_ any, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	if s.Calls != nil {
		s.Calls(full)
	}
	var in message
	if err := stream.RecvMsg(&in); err != nil {
		return err
	}
	if err := s.admits(stream.Context(), full); err != nil {
		return err
	}
	switch full {
	case "/openshell.v1.OpenShell/ExecSandbox":
		return s.exec(stream, in)
	case "/openshell.v1.OpenShell/WatchSandbox":
		return s.watch(stream, in)
	}

	answer, known := s.unary()[path.Base(full)]
	if !known || path.Dir(full) != "/openshell.v1.OpenShell" {
		return status.Error(codes.Unimplemented, "")
	}
	out, err := answer(stream.Context(), in)
	if s.Heard != nil {
		s.Heard(Exchange{Method: path.Base(full), Request: in, Answer: out})
	}
	if err != nil {
		return err
	}
	return stream.SendMsg(out)
}

// admits asks for the token. Health needs none in any version (docs/facts/openshell.md 3.1).
func (s *Server) admits(ctx context.Context, method string) error {
	if s.Token == "" || path.Base(method) == "Health" {
		return nil
	}
	sent, _ := metadata.FromIncomingContext(ctx)
	if slices.Contains(sent.Get("authorization"), "Bearer "+s.Token) {
		return nil
	}
	return status.Error(codes.Unauthenticated, "invalid token")
}

type unary func(ctx context.Context, in message) (message, error)

// unary is every call that this version answers; the rest is UNIMPLEMENTED, as it is on a real gateway.
func (s *Server) unary() map[string]unary {
	calls := map[string]unary{
		"Health": s.health, "ListSandboxes": s.list, "GetSandbox": s.get, "CreateSandbox": s.create, "DeleteSandbox": s.delete,
		"ListProviders": s.listProviders, "GetProvider": s.getProvider, "GetSandboxConfig": s.sandboxConfig,
		"GetSandboxPolicyStatus": s.policyStatus, "ListSandboxPolicies": s.listPolicies, "GetGatewayConfig": s.gatewayConfig,
	}
	if Since(s.Version, 37) {
		calls["ListSandboxProviders"] = s.sandboxProviders
	}
	if Since(s.Version, 85) {
		calls["GetGatewayInfo"] = s.info
	}
	if Since(s.Version, 88) {
		calls["CreateWorkspace"], calls["ListWorkspaces"] = s.createWorkspace, s.listWorkspaces
		calls["ListServices"], calls["ExposeService"], calls["UpdateConfig"] = s.listServices, s.exposeService, s.updateConfig
	}
	if Since(s.Version, 105) {
		calls["StopSandbox"], calls["StartSandbox"] = s.phase(Stopped), s.phase(Ready)
	}
	return calls
}
