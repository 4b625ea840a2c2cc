package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sandkeeper/backup"
	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade/classify"
)

// quiesce puts the extensions that have something to do around a backup into the run, after it has ended the backups
// that a killed run has left. nil when there are none: then no store is opened. The chain is closed after the run,
// which owns the store until then: what a killed run has left is told from what another is at by that.
func (o *backupAllOptions) quiesce(ctx context.Context, run *backup.Options, inv sandbox.Inventory, look classify.Probes) (*extensionChain, error) {
	a := o.app
	links, _ := a.extensions.links() // a mistake was told at the start, and stops no backup
	if o.dryRun || !lifecycle.Quiesces(links) {
		return nil, nil
	}
	chain, err := a.extensions.chainOf(links, insideOf(inv, look))
	if err != nil {
		return nil, err
	}
	reports, err := chain.EndBackups(ctx)
	for _, r := range reports {
		a.extensions.sayReconciled(r)
	}
	if err != nil {
		return nil, errors.Join(err, chain.close())
	}
	run.Quiesce = func(ctx context.Context, sb sandbox.Sandbox) (func(context.Context) error, error) {
		return chain.BeginBackup(ctx, referenceOf(sb))
	}
	return chain, nil
}

// referenceOf names a sandbox to extensions; one without an id of its gateway by its container's.
func referenceOf(sb sandbox.Sandbox) lifecycle.Reference {
	id := sb.ID
	if sb.Container != nil {
		id = cmp.Or(id, sb.Container.ID)
	}
	return lifecycle.Reference{ID: cmp.Or(id, sb.Gateway+"/"+sb.Name), Name: sb.Name, Gateway: sb.Gateway}
}

// insideOf runs commands in the sandboxes of an inventory, the way that version commands are run in them.
func insideOf(inv sandbox.Inventory, look classify.Probes) lifecycle.Inside {
	return func(ctx context.Context, ref lifecycle.Reference, command []string) (string, error) {
		for _, sb := range inv.Sandboxes {
			if referenceOf(sb).ID == ref.ID {
				return look.Agent(ctx, sb, command)
			}
		}
		return "", fmt.Errorf("sandbox %q (id %s) is not among those of this run: %w", ref.Name, ref.ID, lifecycle.ErrNotInside)
	}
}

// inside looks into sandboxes for the run: through their gateways, or with --offline through the container engine
// alone.
func (o *backupAllOptions) inside(seen survey.Survey, gateways *driver.Gateways) classify.Probes {
	look := probesOf(o.app.host, seen.Engines)
	look.Gateways = gateways
	if !o.offline {
		look.CLI = o.app.host.CLI(seen.Gateways)
	}
	return look
}
