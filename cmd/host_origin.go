package cmd

import (
	"context"

	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// containerSources are what an inventory without any gateway is made of on this host; an online one asks the gateways as well.
func (a *app) containerSources(registry sandbox.Registry, engines engine.Engines, o storeOptions) sandbox.Sources {
	return sandbox.Sources{
		Registry: registry, Containers: containersOf(engines), Env: a.Env, Offline: true,
		Only: a.global.gateway, Workspace: a.global.workspace, Origin: a.origin(engines, o),
	}
}

// origin tells which gateway made a container that no list claims: the one that its newest backup names, else the one registered
// gateway whose port its supervisor was given.
func (a *app) origin(engines engine.Engines, o storeOptions) func(context.Context, engine.Container, *engine.Container) string {
	store, _ := a.openStore(o) // without one there is nothing recorded
	return func(ctx context.Context, c engine.Container, companion *engine.Container) string {
		if store != nil {
			if gateway := store.GatewayOf(c.SandboxName, c.SandboxID); gateway != "" {
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
		return a.gatewayAt(openshell.PortOf(supervised.Endpoint))
	}
}

// gatewayAt is the one local gateway that is registered with that port; "" when none or several are. A container reaches its gateway
// under another host name than people do, so that the port has to tell.
func (a *app) gatewayAt(port int) string {
	found := ""
	for _, name := range openshell.Registered(a.Env) {
		r, err := openshell.ReadRegistration(a.Env, name)
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
