package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
	"sandkeeper/internal/command"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// readRegistry reads NemoClaw's registry: all of it, or the rows of the one gateway that was asked for.
func (a *app) readRegistry() (sandbox.Registry, error) {
	only, err := a.only()
	if err != nil {
		return sandbox.Registry{}, err
	}
	return sandbox.ReadRegistry(a.Env, only)
}

// only is the gateway that -g or NEMOCLAW_GATEWAY_PORT asks for; nil asks for every one.
func (a *app) only() (*sandbox.Binding, error) {
	if a.global.gateway != "" {
		return &sandbox.Binding{Gateway: a.global.gateway}, nil
	}
	text := a.Env.Get("NEMOCLAW_GATEWAY_PORT")
	if text == "" {
		return nil, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1024 || port > 65535 {
		return nil, usage("give a port from 1024 to 65535, or unset it", "NEMOCLAW_GATEWAY_PORT is %q", text)
	}
	return &sandbox.Binding{Port: port}, nil
}

// opened are the container engines of this host once they were looked for.
type opened struct {
	sync.Once
	engine.Engines
}

// engines are the container engines of this host, opened once in a run: one that does not answer is waited for once.
func (a *app) engines(ctx context.Context) engine.Engines {
	if a.opened == nil {
		a.opened = &opened{}
	}
	a.opened.Do(func() {
		dialing := engine.Dialing{Env: a.Env, Timeout: a.global.probeTimeout, UID: a.UID}
		registry, _ := a.readRegistry() // whoever needs it says what is wrong with it
		for _, binding := range a.bindings(registry) {
			if host := gateway.MarkerHost(ctx, a.gatewayOptions(binding)); host != "" {
				dialing.MarkerHosts = append(dialing.MarkerHosts, host)
			}
		}
		if len(dialing.MarkerHosts) > 0 {
			dialing.MarkerHost = dialing.MarkerHosts[0]
		}
		a.opened.Engines = engine.Open(ctx, dialing)
		for _, closed := range a.opened.Closed() {
			if main, _ := a.opened.Main(); main != nil {
				a.warn("%s; sandboxes that run there are not seen", closed.Why)
			}
		}
	})
	return a.opened.Engines
}

// openshellCLI is the command line that the observation resolved.
func (a *app) openshellCLI(views []view) *openshell.CLI {
	for _, v := range views {
		if v.seen.CLI.Path != "" {
			return &openshell.CLI{
				Path: v.seen.CLI.Path, Known: v.seen.CLI.Version, Env: a.Env, UID: a.UID, Timeout: a.global.probeTimeout, Run: command.Run,
			}
		}
	}
	return nil
}

// backupRoot is --backup-dir, or its default below the data home.
func (a *app) backupRoot(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	if a.Env.DataHome() == "" {
		return "", usage("give --backup-dir", "there is no home to keep backups in (HOME is not set)")
	}
	return filepath.Join(a.Env.DataHome(), "sandkeeper", "backups"), nil
}

// stateDir holds the journal of paused containers and of upgrades; "" without a home.
func (a *app) stateDir() string {
	if a.Env.StateHome() == "" {
		return ""
	}
	return filepath.Join(a.Env.StateHome(), "sandkeeper")
}

// sources are what the inventory is made of on this host.
func (a *app) sources(registry sandbox.Registry, views []view, engines engine.Engines, o storeOptions) sandbox.Sources {
	s := a.containerSources(registry, engines, o)
	s.Offline = false
	if len(views) > 0 {
		s.Gateway = views[0].seen.Target.Name
	}
	s.List = a.listing(views)
	return s
}

// listing asks a gateway for its sandboxes. A command line that is missing, may not be executed, or hung through the whole preflight
// is not run: the answer is what is known about it.
func (a *app) listing(views []view) func(context.Context, string) ([]openshell.Sandbox, error) {
	cli := a.openshellCLI(views)
	if cli != nil && !hung(views) {
		return cli.Sandboxes
	}
	why, hint := "no openshell CLI was looked for", offlineHint
	switch {
	case cli != nil:
		why = fmt.Sprintf("%s answered neither --version nor status in time", cli.Path)
	case len(views) > 0:
		why, hint = views[0].seen.CLI.Why, installHint
	}
	return func(_ context.Context, name string) ([]openshell.Sandbox, error) {
		if len(views) > 0 && neverHeardOf(viewOf(views, name).seen) {
			return nil, notRegistered(viewOf(views, name).seen)
		}
		return nil, &Failure{Code: ExitUnreachable, Kind: "gateway_unreachable", Err: fmt.Errorf("the sandboxes cannot be listed: %s", why), Hint: hint}
	}
}

// hung reports whether the command line let every look of the preflight run into its time limit.
func hung(views []view) bool {
	return !slices.ContainsFunc(views, func(v view) bool {
		status, ok := errors.AsType[*openshell.ListingError](v.seen.Served.Err)
		return v.seen.CLI.State != drift.Unknown || !ok || !status.TimedOut
	})
}

// containersOf lists the containers of all engines. Where none answers it says whether there is none or whether it does not answer:
// from an engine that does not answer nothing may be concluded.
func containersOf(engines engine.Engines) func(context.Context) ([]engine.Container, error) {
	_, state := engines.Main()
	switch {
	case len(engines.All()) > 0:
		return engines.Sandboxes
	case state.State == drift.Unknown:
		return func(context.Context) ([]engine.Container, error) {
			return nil, fmt.Errorf("container engine at %s", state.Words())
		}
	}
	return nil
}

// commandTimeout is how long a single foreign command may take.
func (a *app) commandTimeout() time.Duration {
	if a.global.probeTimeout > 0 {
		return a.global.probeTimeout
	}
	return command.DefaultTimeout
}
