package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

// EngineReach is what capture and restore ask of a container engine.
type EngineReach interface {
	Freezer
	Host() string
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string) error
	Stat(ctx context.Context, id, name string) (engine.FileFact, error)
	Read(ctx context.Context, id, name string) (io.ReadCloser, error)
	Write(ctx context.Context, id, dir string, stream io.Reader) error
	Describe(ctx context.Context, id string, sized bool) (engine.RecipeFacts, error)
	ImageWorkdir(ctx context.Context, ref string) (string, error)
}

// StoppedReader is an engine that does not read everything of a stopped container; *engine.Engine is one.
type StoppedReader interface {
	ReadableStopped(ctx context.Context, c engine.Container, name string) error
}

// ReadableStopped gives an error when e could not read the folder name of c once c is stopped.
func ReadableStopped(ctx context.Context, e EngineReach, c engine.Container, name string) error {
	if reader, ok := e.(StoppedReader); ok {
		return reader.ReadableStopped(ctx, c, name)
	}
	return nil
}

// EngineOf wraps e; nil stays nil.
func EngineOf(e *engine.Engine) EngineReach {
	if e == nil {
		return nil
	}
	return e
}

// DialFunc reaches the container engine at host ("unix:///var/run/docker.sock").
type DialFunc func(ctx context.Context, host string) (Freezer, error)

// Dialer makes the DialFunc of real engines, with the TLS settings that e names.
func Dialer(e env.Env) DialFunc {
	return func(ctx context.Context, host string) (Freezer, error) { return DialHost(ctx, e, host) }
}

// DialHost reaches the engine at host ("unix:///var/run/docker.sock"), with the TLS settings that e names.
func DialHost(ctx context.Context, e env.Env, host string) (*engine.Engine, error) {
	found, state := engine.Dial(ctx, engine.Dialing{Env: e.With("DOCKER_HOST=" + host)})
	if found == nil {
		return nil, fmt.Errorf("container engine %s: %s", host, state.Why)
	}
	return found, nil
}

// AgentHome is the home of an agent's sandbox where that has no /sandbox (docs/facts/nemoclaw.md 9.4).
func AgentHome(agent string) string {
	if agent == "nemocua" {
		return "/app/config"
	}
	return sandbox.DefaultHome
}

// HomeOf decides which folder of a container is the sandbox's home: the agent's workspace root, or the state root of an
// agent that has no /sandbox.
func HomeOf(ctx context.Context, e EngineReach, sb sandbox.Sandbox) (ContainerHome, error) {
	dir, err := sandbox.FindHome(ctx, e, sb)
	if err != nil {
		return ContainerHome{}, err
	}
	h := ContainerHome{Engine: e, ID: sb.Container.ID, Dir: dir}
	if other := AgentHome(AgentOf(sb)); dir == sandbox.DefaultHome && other != dir {
		_, err := e.Stat(ctx, h.ID, dir)
		if errors.Is(err, fs.ErrNotExist) && h.archives(ctx) == nil {
			h.Dir = other
		}
	}

	return h, h.check(ctx)
}

// AgentOf is the agent that the registry has for a sandbox; "" when it is not registered.
func AgentOf(sb sandbox.Sandbox) string {
	if sb.Row == nil {
		return ""
	}
	return sb.Row.Agent
}

// ContainerHome is the home of a sandbox in its container.
type ContainerHome struct {
	Engine EngineReach
	ID     string
	Dir    string // absolute

	exported bool // the archive API gives nothing of the container
}

// Read refuses a home that is a symbolic link: what lies behind it was never meant by the name, and may be the
// container's whole root. Links inside the home are read as links, by the engine, and need no such care.
func (h ContainerHome) Read(ctx context.Context) (io.ReadCloser, string, error) {
	if h.exported {
		stream, err := h.Engine.(Exporter).Export(ctx, h.ID, h.Dir)
		return stream, path.Base(h.Dir), err
	}
	if err := h.check(ctx); err != nil {
		return nil, "", err
	}
	stream, err := h.Engine.Read(ctx, h.ID, h.Dir)
	if err != nil {
		return nil, "", fmt.Errorf("reading %s: %w", h.Dir, err)
	}
	return stream, path.Base(h.Dir), nil
}

func (h ContainerHome) check(ctx context.Context) error {
	for dir := h.Dir; dir != "/"; dir = path.Dir(dir) {
		fact, err := h.Engine.Stat(ctx, h.ID, dir)
		if err != nil {
			if nothing := h.archives(ctx); nothing != nil {
				return nothing
			}
		}

		switch {
		case errors.Is(err, fs.ErrNotExist):
			return text.As(fs.ErrNotExist, "the container has no %s", dir) // the engine's own words are about its API
		case err != nil:
			return fmt.Errorf("looking at %s: %w", dir, err)
		case fact.Mode&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link to %q, which is not followed", dir, fact.Link)
		case !fact.Mode.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		}
	}
	return nil
}
