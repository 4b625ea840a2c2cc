package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
)

// Dialing is what decides which container engine is meant.
type Dialing struct {
	Env        env.Env
	MarkerHost string // dockerHost of the gateway's runtime marker, or ""

	MarkerHosts []string      // those of the other gateways of this host
	Timeout     time.Duration // of one request; 0 is EngineTimeout
	Root        string        // put before absolute system paths; "" is "/"
	UID         int           // whose credential helpers may be run beside root's
}

// address is where an engine may be, and who says so.
type address struct {
	host string
	from string
	tls  tlsFiles
}

// Dial finds the container engine and makes sure that it answers as one. The first of these that is set decides, and
// nothing after it is tried, because another engine would show other containers: DOCKER_HOST, the runtime marker's
// dockerHost, the active docker context. Without any of them the first socket that exists among the default, rootless
// and Podman ones is taken; a socket that this user may not open is passed over while a later one answers.
//
// The engine is nil unless its state is known. No socket anywhere is absent; a socket that refuses, hangs or answers as
// something else is unknown, with the host and the reason named.
func Dial(ctx context.Context, d Dialing) (*Engine, State) {
	if d.Timeout <= 0 {
		d.Timeout = DefaultTimeout
	}
	chosen, err := d.chosen()
	if err != nil {
		return nil, State{State: drift.Unknown, Host: chosen.host, Why: err.Error()}
	}
	if chosen.host != "" {
		return connect(ctx, d, chosen)
	}
	return d.firstSocket(ctx)
}

// chosen is the engine that the operator or the gateway named, or the zero address.
func (d Dialing) chosen() (address, error) {
	if host := strings.TrimSpace(d.Env.Get("DOCKER_HOST")); host != "" {
		return address{host: host, from: "DOCKER_HOST", tls: d.environmentTLS()}, nil
	}
	if host := strings.TrimSpace(d.MarkerHost); host != "" {
		return address{host: host, from: "the gateway's runtime marker"}, nil
	}
	return d.activeContext()
}

func (d Dialing) firstSocket(ctx context.Context) (*Engine, State) {
	var closed *State
	for _, path := range d.sockets() {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		engine, state := connect(ctx, d, address{host: "unix://" + path, from: "the default sockets"})
		if engine == nil && mayNotOpen(path) {
			if closed == nil {
				closed = &state
			}
			continue
		}

		return engine, state
	}

	if closed != nil {
		return nil, *closed
	}
	return nil, State{State: drift.Absent, Why: "no socket at " + strings.Join(d.sockets(), ", ")}
}

func (d Dialing) sockets() []string {
	paths := []string{filepath.Join("/", d.Root, "/var/run/docker.sock")}
	paths = append(paths, filepath.Join(d.runtimeDir(), "docker.sock"))
	if home := d.Env.Home(); home != "" {
		paths = append(paths, filepath.Join(home, ".docker/run/docker.sock"))
	}
	return append(paths, filepath.Join(d.runtimeDir(), "podman/podman.sock"), filepath.Join("/", d.Root, "/run/podman/podman.sock"))
}

// access(2) with W_OK: connecting to a unix socket needs the right to write to it.
func mayNotOpen(path string) bool {
	const mayWrite = 2
	return errors.Is(syscall.Access(path, mayWrite), syscall.EACCES)
}

// connect turns an address into an engine that has answered three questions: is anybody there, do we speak one version
// of the API, and is a list of containers a list of containers.
func connect(ctx context.Context, d Dialing, a address) (*Engine, State) {
	state := State{State: drift.Unknown, Host: a.host}
	engine, err := newEngine(a, d.Timeout)
	if err != nil {
		state.Why = fmt.Sprintf("%s (from %s): %v", a.host, a.from, err)
		return nil, state
	}
	version, err := engine.greet(ctx)
	if err != nil {
		_ = engine.Close()
		state.Why = fmt.Sprintf("%s (from %s): %s", a.host, a.from, silence(err))
		return nil, state
	}

	engine.api, engine.logins = version, logins{env: d.Env, uid: d.UID, dir: d.configDir()}
	return engine, engine.State()
}

// silence says why nobody answers. What the client says of a failed connection repeats the address, and asks a
// question.
func silence(err error) string {
	if strings.HasPrefix(err.Error(), "Cannot connect to the Docker daemon") {
		return "no engine answers there"
	}
	return text.OneLine(err.Error(), errorLimit)
}

func (e *Engine) greet(ctx context.Context) (version string, err error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	ping, err := e.client.Ping(ctx)
	if err != nil {
		return "", e.explain(ctx, err)
	}
	if ping.APIVersion == "" {
		return "", errors.New("something answers there, but not as a container engine (no Api-Version)")
	}
	e.client.NegotiateAPIVersionPing(ping)
	probe := container.ListOptions{All: true, Limit: 1, Filters: filters.NewArgs(filters.Arg("label", LabelManagedBy))}
	if _, err := e.client.ContainerList(ctx, probe); err != nil {
		return "", fmt.Errorf("it greets, but does not list containers: %w", e.explain(ctx, err))
	}
	return ping.APIVersion, nil
}
