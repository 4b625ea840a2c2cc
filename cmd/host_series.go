package cmd

import (
	"cmp"
	"errors"

	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// address takes a name as people write it apart, "workspace/name"; without a workspace, that of --workspace is meant.
func (a *app) address(written string) (workspace, name string) {
	workspace, name = sandbox.ParseAddress(written)
	return cmp.Or(workspace, a.host.Workspace), name
}

// latest is the newest backup of the sandbox that is meant. A name that is that of several sandboxes needs a word more.
func (a *app) latest(st *store.Store, workspace, name string) (store.Backup, error) {
	b, err := st.LatestOn(a.host.Gateway, workspace, name)
	if several, ok := errors.AsType[*store.SeveralError](err); ok {
		first := several.Series[0]
		hint := "add -g " + first.Gateway
		if several.Series[1].Workspace != first.Workspace {
			hint = "write the workspace as well: " + first.Workspace + "/" + first.Name
		}
		return b, usage(hint+", or --backup ID from: sandkeeper backups list "+name, "%w", err)
	}
	return b, err
}
