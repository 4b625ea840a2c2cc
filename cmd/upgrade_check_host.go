package cmd

import (
	"context"

	"sandkeeper/backup/store"
	"sandkeeper/preflight"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
)

// checkHost runs the host's checks for the sandboxes that are to be rebuilt: each is backed up first.
func (o *upgradeOptions) checkHost(ctx context.Context, seen upgradeSurvey, store *store.Store, targets []upgrade.Target, found *answer) error {
	names := make([]string, 0, len(targets))
	for _, t := range targets {
		names = append(names, t.Sandbox.Name)
	}
	return o.app.checkHost(ctx, hostRun{
		facts:  hostFacts{seen: seen.Gateways.Decisive().Seen, root: store.Root(), store: store, engines: seen.Engines},
		chosen: func([]string) []string { return names }, report: found.preflight, skip: o.skip,
		hint: "nothing was touched; make room or choose another folder with --backup-dir, or go on with --skip-check CODE",
	})
}

// skipped takes down, for every way of the command, which failures are warnings only.
func (o *upgradeOptions) skipped(gateways survey.Gateways) {
	for i := range gateways {
		r := &gateways[i].Report
		r.Checks = preflight.Demote(r.Checks, o.skip.codes)
		r.SkippedChecks = o.skip.codes
	}
}
