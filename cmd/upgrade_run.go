package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sandkeeper/backup/store"
	"sandkeeper/preflight"
	"sandkeeper/upgrade"
)

// runMutating rebuilds the stale sandboxes.
func (o *upgradeOptions) runMutating(ctx context.Context) (*answer, error) {
	found := &answer{}
	if err := o.peek(); err != nil {
		return found, err
	}
	if err := o.pending.Damaged(); err != nil {
		o.app.term.warn("%v", err)
	}
	if o.pending.HoldAll(o.only) {
		return o.answered(found, o.pending.Outcomes())
	}
	seen, err := o.classify(ctx, found, preflight.Upgrading(), o.allowUnverified)
	if err != nil {
		o.warnPending()
		return found, err
	}
	for _, warning := range seen.summary.Warnings {
		o.app.term.warn("%s", warning)
	}
	answered, err := o.rebuild(ctx, seen, found)
	if err == nil && seen.Inventory.Partial != nil {
		err = unseen("nothing that was seen is left to upgrade, and not everything was seen", seen.Inventory.Partial)
	}
	return answered, err
}

// rebuild plans, looks at the preconditions of everything, asks, and goes to work.
func (o *upgradeOptions) rebuild(ctx context.Context, seen upgradeSurvey, found *answer) (answered *answer, err error) {
	rebuilder := o.nemoclaw(ctx, seen)
	targets, outcomes := upgrade.Plan(seen.summary.Sandboxes, seen.Inventory.Sandboxes, o.pending, rebuilder != nil)
	if len(targets) == 0 {
		return o.answered(found, outcomes)
	}
	u, err := o.upgrader(ctx, seen, rebuilder)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	if err := o.checkHost(ctx, seen, u.store, targets, found); err != nil {
		return found, err
	}
	ready, refused, err := u.Preconditions(ctx, targets)
	if err != nil {
		return found, err
	}
	outcomes = append(outcomes, refused...)
	if len(ready) > 0 {
		o.remember(ready, u.store.Root())
		o.sayRefused(refused)
		if err := o.confirm(ctx, o.question(ready)); err != nil {
			return found, err
		}
		outcomes = append(outcomes, u.Execute(ctx, ready)...)
	}

	return o.ended(ctx, found, outcomes)
}

// ended is the answer of a run that may have been interrupted.
func (o *upgradeOptions) ended(ctx context.Context, found *answer, outcomes []upgrade.Outcome) (*answer, error) {
	answered, err := o.answered(found, outcomes)
	if err == nil || ctx.Err() == nil {
		return answered, err
	}
	return answered, &Failure{Code: ExitInterrupted, Kind: "interrupted", Err: fmt.Errorf("interrupted: %w", err), Hint: unfinishedHint(outcomes)}
}

// answered is the summary, and what its totals mean for a script.
func (o *upgradeOptions) answered(found *answer, outcomes []upgrade.Outcome) (*answer, error) {
	summary := upgrade.Summarise(outcomes)
	found.result = summary
	found.text = func(term *terminal) { renderUpgrade(term, summary, o.rollback) }
	t := summary.Totals
	done, missed, what := t.Upgraded, t.Failed+t.RolledBack, "upgraded: "+missedText(t)
	if o.rollback {
		done, missed, what = t.Upgraded+t.RolledBack, t.Failed, fmt.Sprintf("rolled back: %d failed", t.Failed)
	}
	switch {
	case missed == 0:
		return found, nil
	case done == 0 && heldUp(outcomes) == missed:
		return found, heldFailure(outcomes)
	case done == 0 && waitingFor(outcomes) == missed:
		return found, &Failure{Code: ExitLocked, Kind: "locked", Err: errors.New("another run is at work, and nothing was upgraded"), Hint: "wait for that run to end, then run this command again; or --lock-wait 10m"}
	case done > 0:
		return found, &Failure{Code: ExitPartial, Kind: kindPartial, Said: true, Err: fmt.Errorf("%d of %d sandboxes were not %s", missed, done+missed, what), Hint: unfinishedHint(outcomes)}
	}

	return found, &Failure{Code: ExitRefused, Kind: kindPartial, Said: true, Err: fmt.Errorf("no sandbox was %s", what), Hint: unfinishedHint(outcomes)}
}

// missedText counts what was not upgraded; an old sandbox that is back is no failed one.
func missedText(t upgrade.UpgradeTotals) string {
	var parts []string
	if t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", t.Failed))
	}
	if t.RolledBack > 0 {
		parts = append(parts, fmt.Sprintf("%d rolled back", t.RolledBack))
	}
	return strings.Join(parts, ", ")
}

// confirm asks, unless the answer was given.
func (o *upgradeOptions) confirm(ctx context.Context, text string) error {
	if o.yes || o.auto {
		return nil
	}
	return o.app.term.ask(ctx, question{
		text:     text + "\nGo on?",
		unasked:  text + "\nThis wants an answer",
		flags:    "add --yes to go on without a question",
		declined: o.app.term.nothingWas("changed"),
	})
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

// checkHost runs the host's checks for the sandboxes that are to be rebuilt: each is backed up first.
func (o *upgradeOptions) checkHost(ctx context.Context, seen upgradeSurvey, store *store.Store, targets []upgrade.Target, found *answer) error {
	names := make([]string, 0, len(targets))
	for _, t := range targets {
		names = append(names, t.Sandbox.Name)
	}
	return o.app.checks.check(ctx, hostRun{
		facts:  hostFacts{seen: seen.Gateways.Decisive().Seen, root: store.Root(), store: store, engines: seen.Engines},
		chosen: func([]string) []string { return names }, report: found.preflight, skip: o.skip,
		undone: "touched",
	})
}
