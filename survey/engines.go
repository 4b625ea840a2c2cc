package survey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
	"sandkeeper/sandbox"
)

type enginesOnce struct {
	sync.Once
	engine.Engines
}

// Engines are the container engines of this host, opened once: an engine that does not answer is waited for once.
func (h *Host) Engines(ctx context.Context) engine.Engines {
	h.engines.Do(func() {
		dialing := engine.Dialing{Env: h.Env, Timeout: h.ProbeTimeout, UID: h.UID}
		registry, _ := h.Registry() // whoever needs it says what is wrong with it
		for _, binding := range h.Bindings(registry) {
			if host := gateway.MarkerHost(ctx, h.Options(binding)); host != "" {
				dialing.MarkerHosts = append(dialing.MarkerHosts, host)
			}
		}

		if len(dialing.MarkerHosts) > 0 {
			dialing.MarkerHost = dialing.MarkerHosts[0]
		}
		h.engines.Engines = engine.Open(ctx, dialing)

		for _, closed := range h.engines.Closed() {
			if main, _ := h.engines.Main(); main != nil {
				h.Warn("%s; sandboxes that run there are not seen", closed.Why)
			}
		}
	})
	return h.engines.Engines
}

// containersOf lists the containers of all engines. Where none answers it says whether there is none or whether it does
// not answer: from an engine that does not answer nothing may be concluded.
func containersOf(engines engine.Engines) func(context.Context) ([]engine.Container, error) {
	_, state := engines.Main()
	switch {
	case len(engines.All()) > 0:
		return engines.Sandboxes
	case state.State == drift.Unknown && (state.Closed || noSocket(state.Host)):
		return func(context.Context) ([]engine.Container, error) {
			return nil, fmt.Errorf("%w: %s", sandbox.ErrNotAsked, state.Words())
		}
	case state.State == drift.Unknown:
		return func(context.Context) ([]engine.Container, error) {
			return nil, fmt.Errorf("container engine at %s", state.Words())
		}
	}
	return nil
}

// nothingRegistered reports a registry that is there and empty on a host without labelled containers: no gateway need
// be contacted.
func (h *Host) nothingRegistered(ctx context.Context, registry sandbox.Registry) bool {
	if !registry.Present || registry.Recorded() {
		return false
	}
	engines := h.Engines(ctx)
	if main, state := engines.Main(); main == nil && len(engines.All()) == 0 {
		return state.State != drift.Unknown || noSocket(state.Host)
	}
	containers, err := engines.Sandboxes(ctx)
	return err == nil && len(containers) == 0
}

// noSocket reports whether host is a socket that does not exist: an engine that is not there, wherever it was named,
// runs nothing.
func noSocket(host string) bool {
	path, unix := strings.CutPrefix(host, "unix://")
	_, err := os.Stat(path)
	return unix && errors.Is(err, fs.ErrNotExist)
}
