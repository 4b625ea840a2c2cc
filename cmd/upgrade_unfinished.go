package cmd

import (
	"path/filepath"
	"slices"

	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

// asked are the unfinished upgrades of the gateway that -g asks for; all of them without it.
func (o *upgradeOptions) asked(entries []upgrade.Entry) []upgrade.Entry {
	wanted := o.app.global.gateway
	return slices.DeleteFunc(entries, func(e upgrade.Entry) bool { return wanted != "" && e.Gateway != wanted })
}

// bindingsOf are the gateways that unfinished upgrades are worked on through, whatever the registry has by now.
func (a *app) bindingsOf(entries []upgrade.Entry, r sandbox.Registry) []sandbox.Binding {
	var found []sandbox.Binding
	for i := range entries {
		binding := sandbox.Binding{Gateway: entries[i].Gateway}
		for _, recorded := range a.bindings(r) {
			if recorded.Gateway == binding.Gateway {
				binding = recorded
			}
		}
		if !slices.Contains(found, binding) {
			found = append(found, binding)
		}
	}
	return found
}

// remember has an upgrade go on with the backups and the key that it began with.
func (o *upgradeOptions) remember(ready []*upgrade.Entry, root string) {
	identity := o.identity
	if absolute, err := filepath.Abs(identity); identity != "" && err == nil {
		identity = absolute
	}
	for _, e := range ready {
		e.BackupRoot, e.Identity = root, identity
	}
}

// recall takes from the journal where the backups are and what opens them, unless the command line says so: the commands that are
// advised while something is unfinished name neither.
func (o *upgradeOptions) recall(entries []upgrade.Entry) error {
	for i := range entries {
		e, first := &entries[i], &entries[0]
		if o.store.dir == "" && e.BackupRoot != first.BackupRoot || o.identity == "" && e.Identity != first.Identity {
			return usage("finish one after the other, with --only NAME", "the upgrades of sandboxes %q and %q have their backups in different folders, or other keys open them", first.Name, e.Name)
		}
	}
	if o.store.dir == "" {
		o.store.dir = entries[0].BackupRoot
	}
	if o.identity == "" {
		o.identity = entries[0].Identity
	}
	return nil
}

// onlyOf are the entries that --only names, or all of them.
func (o *upgradeOptions) onlyOf(entries []upgrade.Entry) []upgrade.Entry {
	return slices.DeleteFunc(entries, func(e upgrade.Entry) bool { return len(o.only) > 0 && !slices.Contains(o.only, e.Name) })
}

// noneOf is the failure to find the unfinished upgrade that --only names.
func noneOf(name string) *Failure {
	f := notFound("no upgrade of a sandbox %q is unfinished", name)
	f.Hint = "sandkeeper upgrade-sandboxes --check names what is unfinished"
	return f
}
