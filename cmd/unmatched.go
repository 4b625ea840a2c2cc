package cmd

import (
	"slices"

	"sandkeeper/backup/store"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// unmatched is the error of a --workspace in which no sandbox of this host is: a typing mistake must not end well. It is
// nil where sandboxes may be there that were not seen, and where the host has none at all.
func (a *app) unmatched(inv sandbox.Inventory) error {
	if a.host.Workspace == "" || len(inv.Sandboxes) > 0 || inv.Partial != nil || inv.Empty {
		return nil
	}
	return a.noSandbox()
}

// unknownGateway is the error of a -g under --offline that nothing here names: no sandbox, no registration, and no saved
// state. Any other run asks the gateway, and is told that it is not registered. It is nil on a host that has no
// registrations, as that of a service may have none.
func (o *backupAllOptions) unknownGateway(st *store.Store, inv sandbox.Inventory) error {
	name, known := o.app.host.Gateway, o.app.knownGateways()
	if !o.offline || name == "" || len(inv.Sandboxes) > 0 || inv.Partial != nil || inv.Empty || len(known) == 0 {
		return nil
	}
	saved, err := st.Gateways().Sandboxes()
	if err != nil || slices.Contains(known, name) || slices.Contains(saved, name) {
		return err
	}
	return o.app.noSandbox()
}

// knownGateways are those that the openshell CLI has registered, and those that the registry's sandboxes are on.
func (a *app) knownGateways() []string {
	names := openshell.Registered(a.Env)
	registry, _ := a.host.Registry()
	for _, row := range registry.Rows {
		if row.Gateway != "" {
			names = append(names, row.Gateway)
		}
	}

	slices.Sort(names)
	return slices.Compact(names)
}

// noSandbox says that nothing is in the workspace and on the gateway that were named.
func (a *app) noSandbox() *Failure {
	f := notFound("no sandbox%s%s was found", ofGateway(a.host.Gateway), inWorkspace(a.host.Workspace))
	f.Hint = "sandkeeper status shows those of every gateway and workspace"
	return f
}
