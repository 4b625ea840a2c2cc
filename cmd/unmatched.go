package cmd

import (
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

// noSandbox says that nothing is in the workspace and on the gateway that were named.
func (a *app) noSandbox() *Failure {
	f := notFound("no sandbox%s%s was found", ofGateway(a.host.Gateway), inWorkspace(a.host.Workspace))
	f.Hint = "sandkeeper status shows those of every gateway and workspace"
	return f
}
