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
	if err := o.peek(); err != nil {
		return found, err
	}
	if err := o.onlyPending(); err != nil {
		return found, err
	}
	left := o.entries()
	switch {
	case len(o.pending) == 0:
		return found.nothingLeft(o.app.host.Gateway), nil
	case len(left) == 0:
		return o.answered(found, outcomesOf(o.pending))
	}

	if err := o.recall(left); err != nil {
		return found, err
	}
	seen, err := o.lookUnfinished(ctx, left, found)
	if err != nil {
		return found, err
	}
	u, err := o.upgrader(ctx, seen, o.nemoclaw(ctx, seen))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	entries, others := u.Journal.Adopt(o.pending)
	if len(entries)+len(others) == 0 {
		return found.nothingLeft(o.app.host.Gateway), nil
	}
	outcomes, err := o.finish(ctx, u, pointers(entries), others)
	if err != nil {
		return found, err
	}
	return o.ended(ctx, found, outcomes)
}

// lookUnfinished is the preflight of the gateways that unfinished upgrades are worked on through, and of no other.
func (o *upgradeOptions) lookUnfinished(ctx context.Context, left []upgrade.Entry, found *answer) (seen upgradeSurvey, err error) {
	host := o.app.host
	registry, err := host.Registry()
	if err != nil {
		return seen, err
	}
	action := preflight.Upgrading()
	gateways := host.Judge(ctx, action, bindingsOf(left, host.Bindings(registry)))
	seen.Survey = survey.Survey{Registry: registry, Gateways: gateways, Engines: host.Engines(ctx)}
	o.skipped(seen.Gateways)
	found.preflight = seen.Report()
	found.preflight.DataChanged = true
	seen.engine, _ = seen.Engines.Main()
	return seen, o.app.gate.admit(seen.Gateways, action, o.allowUnverified)
}

// nothingLeft is the answer to --resume and --rollback where no upgrade has been left, on the one gateway that was
// asked for if any.
func (found *answer) nothingLeft(gateway string) *answer {
	found.result = upgrade.Summarise(nil)
	found.text = func(term *terminal) {
		if gateway != "" {
			term.printf("Nothing is unfinished on gateway %q.", gateway)
			return
		}
		term.printf("Nothing is unfinished.")
	}
	return found
}

// finish goes on with those that are this process's own; the others have their outcome.
func (o *upgradeOptions) finish(ctx context.Context, u *upgrading, chosen []*upgrade.Entry, others []upgrade.Outcome) ([]upgrade.Outcome, error) {
	if len(chosen) == 0 {
		return others, nil
	}
	if err := o.confirm(ctx, o.questionUnfinished(chosen)); err != nil {
		return nil, err
	}
	for _, e := range chosen {
		if o.noRehearsal {
			e.Rehearse = upgrade.NoRehearsal
		}
	}

	if o.rollback {
		return append(others, u.RollBack(ctx, chosen)...), nil
	}
	return append(others, u.Execute(ctx, chosen)...), nil
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

// recall takes from the journal where the backups are and what opens them, unless the command line says so: the
// commands that are advised while something is unfinished name neither.
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
