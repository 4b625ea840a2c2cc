package cmd

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
)

// runUnfinished goes on with, or takes back, what the journal names.
func (o *upgradeOptions) runUnfinished(ctx context.Context) (answered *answer, err error) {
	found := &answer{}
	left, err := o.left()
	switch {
	case err != nil:
		return found, err
	case len(left) == 0:
		return found.nothingLeft(o.app.global.gateway), nil
	}
	host := o.app.host()
	registry, err := host.Registry()
	if err != nil {
		return found, err
	}
	action := preflight.Upgrading()
	seen := upgradeSurvey{Survey: survey.Survey{Registry: registry, Gateways: host.Judge(ctx, action, bindingsOf(left, host.Bindings(registry))), Engines: host.Engines(ctx)}}
	o.skipped(seen.Gateways)
	found.preflight = seen.Report()
	found.preflight.DataChanged = true
	if err := o.app.gate(seen.Gateways, action, o.allowUnverified); err != nil {
		return found, err
	}
	seen.engine, _ = seen.Engines.Main()
	u, err := o.upgrader(ctx, seen, o.nemoclaw(ctx, seen))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	entries, err := u.Journal.Unfinished()
	if err != nil {
		return found, err
	}
	chosen, unknown := upgrade.Chosen(o.asked(entries), o.only)
	if unknown != "" {
		return found, noneOf(unknown)
	}
	return o.finish(ctx, u, chosen, found)
}

// left are the unfinished upgrades that are asked for, as they are before the journal is locked; none is no error.
func (o *upgradeOptions) left() ([]upgrade.Entry, error) {
	entries, err := upgrade.PeekJournal(o.app.stateDir())
	if err != nil {
		return nil, journalFailure(err)
	}
	if entries = o.asked(entries); len(entries) == 0 {
		return nil, nil
	}
	if entries = o.onlyOf(entries); len(entries) == 0 {
		return nil, noneOf(o.only[0])
	}
	return entries, o.recall(entries)
}

// nothingLeft is the answer to --resume and --rollback where no upgrade has been left, on the one gateway that was asked for if any.
func (found *answer) nothingLeft(gateway string) *answer {
	found.result = upgrade.Summarise(nil)
	found.text = func(a *app) {
		if gateway != "" {
			a.printf("Nothing is unfinished on gateway %q.", gateway)
			return
		}
		a.printf("Nothing is unfinished.")
	}
	return found
}

func (o *upgradeOptions) finish(ctx context.Context, u *upgrading, chosen []*upgrade.Entry, found *answer) (*answer, error) {
	if len(chosen) == 0 {
		return found.nothingLeft(o.app.global.gateway), nil
	}
	if err := o.confirm(ctx, o.questionUnfinished(chosen)); err != nil {
		return found, err
	}
	if o.rollback {
		return o.ended(ctx, found, u.RollBack(ctx, chosen))
	}
	return o.ended(ctx, found, u.Execute(ctx, chosen))
}

// asked are the unfinished upgrades of the gateway that -g asks for; all of them without it.
func (o *upgradeOptions) asked(entries []upgrade.Entry) []upgrade.Entry {
	wanted := o.app.global.gateway
	return slices.DeleteFunc(entries, func(e upgrade.Entry) bool { return wanted != "" && e.Gateway != wanted })
}

// bindingsOf are the gateways that unfinished upgrades are worked on through, whatever the registry has by now.
func bindingsOf(entries []upgrade.Entry, registered []sandbox.Binding) []sandbox.Binding {
	var found []sandbox.Binding
	for i := range entries {
		binding := sandbox.Binding{Gateway: entries[i].Gateway}
		for _, recorded := range registered {
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
			return usage("finish one after the other, with --only NAME", "the upgrades of sandboxes %q and %q have their backups in different folders, or other keys open them", first.Address(), e.Address())
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
	return slices.DeleteFunc(entries, func(e upgrade.Entry) bool { return len(o.only) > 0 && !slices.ContainsFunc(o.only, e.Answers) })
}

// noneOf is the failure to find the unfinished upgrade that --only names.
func noneOf(name string) *Failure {
	f := notFound("no upgrade of a sandbox %q is unfinished", name)
	f.Hint = "sandkeeper upgrade-sandboxes --check names what is unfinished"
	return f
}
