package survey

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// SilentCLIError is a listing that was not begun, because no command line could be run for it.
type SilentCLIError struct {
	Why string
	// Missing means that there is none that this user may run; else it hung through the whole preflight.
	Missing bool
}

// Error says why no sandbox can be listed.
func (e *SilentCLIError) Error() string { return "the sandboxes cannot be listed: " + e.Why }

// NeverHeardOfError is a listing of a gateway that nothing on this host knows. See Gateway.NeverHeardOf.
type NeverHeardOfError struct{ Gateway Gateway }

// Error names the gateway, and why nobody can be asked for it.
func (e *NeverHeardOfError) Error() string {
	return fmt.Sprintf("no gateway %q is registered for this user, and %s", e.Gateway.Seen.Target.Name, e.Gateway.Seen.CLI.Why)
}

// sources are what an inventory through gateways is made of.
func (h *Host) sources(s Survey, recorded func(name, id string) string) sandbox.Sources {
	from := h.containerSources(s, recorded)
	from.Offline = false
	from.Gateway = s.Gateways[0].Seen.Target.Name
	from.List = h.listing(s.Gateways)
	return from
}

// containerSources are what an inventory without any gateway is made of.
func (h *Host) containerSources(s Survey, recorded func(name, id string) string) sandbox.Sources {
	return sandbox.Sources{
		Registry: s.Registry, Containers: containersOf(s.Engines), Env: h.Env, Offline: true,
		Only: h.Gateway, Workspace: h.Workspace, Origin: h.origin(s.Engines, recorded),
	}
}

// listing asks a gateway for its sandboxes. A command line that is missing, may not be executed, or hung through the
// whole preflight is not run: the answer is what is known about it.
func (h *Host) listing(gs Gateways) func(context.Context, string) ([]openshell.ListedSandbox, error) {
	cli := h.CLI(gs)
	if cli != nil && !hung(gs) {
		return cli.Sandboxes
	}
	silent := &SilentCLIError{Why: gs[0].Seen.CLI.Why, Missing: true}
	if cli != nil {
		silent = &SilentCLIError{Why: fmt.Sprintf("%s answered neither --version nor status in time", cli.Path)}
	}
	return func(_ context.Context, name string) ([]openshell.ListedSandbox, error) {
		if g := gs.Named(name); g.NeverHeardOf() {
			return nil, &NeverHeardOfError{Gateway: g}
		}
		return nil, silent
	}
}

// hung reports whether the command line let every look of the preflight run into its time limit.
func hung(gs Gateways) bool {
	return !slices.ContainsFunc(gs, func(g Gateway) bool {
		status, ok := errors.AsType[*openshell.ListingError](g.Seen.Served.Err)
		return g.Seen.CLI.State != drift.Unknown || !ok || !status.TimedOut
	})
}

// origin tells which gateway made a container that no list claims: the gateway that its newest backup names, else the
// one registered gateway whose port its supervisor was given.
func (h *Host) origin(engines engine.Engines, recorded func(name, id string) string) func(context.Context, engine.Container, *engine.Container) string {
	return func(ctx context.Context, c engine.Container, companion *engine.Container) string {
		if recorded != nil {
			if gateway := recorded(c.SandboxName, c.SandboxID); gateway != "" {
				return gateway
			}
		}

		supervised := c
		if companion != nil {
			supervised = *companion
		}
		eng := engines.Of(supervised)
		if eng == nil {
			return ""
		}
		supervised, err := eng.Inspect(ctx, supervised.ID)
		if err != nil {
			return ""
		}
		return h.gatewayAt(openshell.PortOf(supervised.Endpoint))
	}
}

// gatewayAt is the one local gateway that is registered with that port; "" when none or several are. A container
// reaches its gateway under another host name than people do, so that the port has to tell.
func (h *Host) gatewayAt(port int) string {
	found := ""
	for _, name := range openshell.Registered(h.Env) {
		r, err := openshell.ReadRegistration(h.Env, name)
		if err != nil || r.Port != port || port == 0 || r.Remote {
			continue
		}
		if found != "" {
			return ""
		}
		found = r.Name
	}
	return found
}
