package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sandkeeper/backup/store"
	"sandkeeper/survey"

	"github.com/spf13/cobra"

	"sandkeeper/backup"
	"sandkeeper/backup/home"
	"sandkeeper/driver"
	"sandkeeper/preflight"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

type backupAllOptions struct {
	app             *app
	only, exclude   []string
	strict          bool
	skipUnreachable bool
	jobs            int
	label           string
	dryRun          bool
	skipPaths       []string
	unwanted        home.Skip // of skipPaths
	offline         bool
	noGatewayState  bool
	reread          bool
	verify          bool
	metrics         string
	failure         failureOptions
	seen            sandbox.Inventory // for the metrics
	store           storeOptions
	seal            sealOptions
	offHost         string // the bucket, as people write it; "" where nothing leaves this host
	capture         captureOptions
	skip            skipOptions
}

const backupAllLong = `Run the schema preflight, then back up every sandbox: those that the registry names, those that their gateways list, and those whose
labelled containers are on this host, running or stopped. On drift nothing is trusted and nothing is done: exit 1, with the way out.

A running container is paused while it is read when that is short (--pause-limit), so that its files belong together. The
home is kept whole, credentials included: the backups are as worth protecting as the sandboxes.

--offline contacts no gateway and runs no openshell: registry and containers are the inventory. It is for the moment when the
gateway cannot be trusted, or is dead, and repairing it may cost the sandboxes.

--store brings what was saved into a bucket as well, as backups sync does: always encrypted, to the recipients of --seal-to, or of --encrypt-to. A
run that saved everything and could not bring all of it there ends with 3; the next one brings the rest.`

func newBackupAll(a *app, run func(context.Context, *backupAllOptions) (*answer, error)) *cobra.Command {
	return (&backupAllOptions{app: a}).command(run)
}

func (o *backupAllOptions) command(run func(context.Context, *backupAllOptions) (*answer, error)) *cobra.Command {
	if run == nil {
		run = runBackupAll
	}
	c := &cobra.Command{
		Use: "backup-all", Short: "Back up every sandbox, after the preflight", Long: backupAllLong,
		Example:     "  sandkeeper backup-all --strict\n  sandkeeper backup-all --offline\n  sandkeeper backup-all --store s3://backups/fleet --seal-to age1…",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitUnreachable, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted),
		RunE:        o.app.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.StringSliceVar(&o.only, "only", nil, "back up only these sandboxes, and no gateway's own state")
	f.StringSliceVar(&o.exclude, "exclude", nil, "leave these sandboxes out")
	f.BoolVar(&o.strict, "strict", false, "fail when a sandbox was skipped (NEMOCLAW_REQUIRE_ALL_SANDBOX_BACKUPS=1)")
	f.BoolVar(&o.skipUnreachable, "skip-unreachable", false, "skip sandboxes that cannot be reached (NEMOCLAW_SKIP_UNREACHABLE_SANDBOX_BACKUP=1)")
	f.IntVarP(&o.jobs, "jobs", "j", backup.DefaultJobs, "sandboxes at the same time")
	f.StringVar(&o.label, "label", "", "a note kept in each manifest")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be backed up, and how; write nothing")
	f.StringSliceVar(&o.skipPaths, "skip-path", nil, "leave out what this pattern names below the home, at every depth where it has no slash (node_modules, work/*.tmp)")
	f.BoolVar(&o.offline, "offline", false, "contact no gateway: registry and containers are the inventory")
	f.BoolVar(&o.noGatewayState, "no-gateway-state", false, "do not save the gateway's own database, keys and configuration")
	f.BoolVar(&o.reread, "reread", false, "read every file again, also where the file system shows that nothing was written since the last backup")
	f.BoolVar(&o.verify, "verify", false, "read every byte of each new backup again, as backups verify --read-data does")
	addMetricsFlag(f, &o.metrics)
	o.failure.addFlags(f)
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	o.store.bucket.addFlags(f, "bring the backups into this bucket as well: s3://bucket/prefix")
	o.seal.addFlags(f)
	o.capture.addFlags(f)
	o.skip.addFlags(f)
	return c
}

func runBackupAll(ctx context.Context, o *backupAllOptions) (*answer, error) {
	a := o.app
	if err := o.check(); err != nil {
		return nil, err
	}
	store, err := a.stores.openToChange(ctx, o.store)
	if err != nil {
		return nil, err
	}
	if err := o.capture.mayBePlain(store.Root()); err != nil {
		return nil, err
	}
	if !o.dryRun {
		a.term.orWarn(sweepFetched(store.Root()))
	}
	found := &answer{}
	if o.metrics != "" {
		a.publish = func() error { return o.publishMetrics(store) }
	}
	seen, err := o.survey(ctx, found)
	o.seen = seen.Inventory
	if err != nil {
		return found, o.causeOf(ctx, err, seen.Gateways)
	}
	if err := cmp.Or(a.unmatched(seen.Inventory), o.unknownGateway(store, seen.Inventory)); err != nil {
		return found, err
	}
	if !seen.Inventory.Empty {
		if err := o.checkHost(ctx, store, seen, found); err != nil {
			return found, err
		}
	}

	found, err = o.save(ctx, store, seen, found)
	if result, done := found.result.(*backedUp); done && !result.empty && ctx.Err() == nil {
		err = offHostOutcome(err, o.bringOff(ctx, store, result), result.Summary)
	}
	return found, err
}

// check completes the options from NemoClaw's variables, which keep their meaning: exactly "1" counts
// (docs/facts/nemoclaw.md 1.6).
func (o *backupAllOptions) check() error {
	if o.app.Env.Get("NEMOCLAW_REQUIRE_ALL_SANDBOX_BACKUPS") == "1" {
		o.strict = true
	}
	if o.app.Env.Get("NEMOCLAW_SKIP_UNREACHABLE_SANDBOX_BACKUP") == "1" {
		o.skipUnreachable = true
	}
	if o.jobs < 1 {
		return usage("give 1 or more", "--jobs is %d", o.jobs)
	}
	var err error
	if o.unwanted, err = home.ParseSkip(o.skipPaths); err != nil {
		return usage("give a path below the home, or a name: --skip-path node_modules", "--skip-path: %w", err)
	}
	if err := o.skip.check(); err != nil {
		return err
	}
	if err := o.capture.check(); err != nil {
		return err
	}
	return o.checkOffHost()
}

// survey takes the inventory: after the preflight, or from containers alone.
func (o *backupAllOptions) survey(ctx context.Context, found *answer) (survey.Survey, error) {
	recorded := o.app.stores.recorded(o.store)
	if o.offline {
		return o.app.host.LookOffline(ctx, recorded)
	}
	return o.app.gate.look(ctx, found, survey.Question{Action: preflight.BackingUp(), AllowUnverified: true, Recorded: recorded})
}

// unfinished looks in the state folder dir for an upgrade or a recreation that has a home half done, beside what restores
// have left.
func unfinished(dir string, restoring func(sandbox.Sandbox) error) func(sandbox.Sandbox) error {
	if dir == "" {
		return restoring
	}
	return func(sb sandbox.Sandbox) error {
		err := upgrade.HalfDone(dir, sb)
		if err == nil {
			err = recreate.HalfMade(dir, sb)
		}
		if err != nil || restoring == nil {
			return err
		}
		return restoring(sb)
	}
}

// save backs up what was seen, and says what the outcome means.
func (o *backupAllOptions) save(ctx context.Context, store *store.Store, seen survey.Survey, found *answer) (*answer, error) {
	a, inv := o.app, seen.Inventory
	progress := a.term.progress()
	defer progress.Close()
	gateways := o.gateways(seen)
	defer func() { _ = gateways.Close() }() // nothing was written over them
	run := o.run(a.backupRun(store, seen, o.capture, progress), gateways)
	chain, err := o.quiesce(ctx, run, inv, o.inside(seen, gateways))
	if err != nil {
		return found, err
	}
	defer func() { _ = chain.close() }() // every change of it was on disk before
	for _, warning := range inv.Warnings {
		a.term.warn("%s", warning)
	}

	summary, err := run.All(ctx, inv)
	progress.Close()
	summary.LookedAt = seen.Engines.LookedAt()
	if summary.Sandboxes == nil {
		summary.Sandboxes = []backup.Outcome{} // a list in JSON, also when it is empty
	}
	if !inv.Empty && ctx.Err() == nil && o.wholeRun(err) {
		summary.GatewayState = o.saveGatewayStates(ctx, store, seen)
	}
	result := &backedUp{Summary: summary, empty: inv.Empty}
	found.result = result
	found.text = func(term *terminal) { renderBackupAll(term, result, err) }
	if err != nil {
		return found, a.gate.mismatched(ctx, found, err, seen.Gateways, preflight.BackingUp())
	}
	err = o.outcome(summary)
	if err == nil && inv.Partial != nil {
		err = o.unseen(inv.Partial)
	} else if err == nil && o.savedNothing(summary, inv) {
		err = a.noSandbox()
	}
	return found, o.causeOf(ctx, err, seen.Gateways)
}

// run completes a backup run with what this command alone has.
func (o *backupAllOptions) run(r *backup.Options, gateways *driver.Gateways) *backup.Options {
	r.Jobs, r.Label, r.Only, r.Exclude = o.jobs, o.label, o.only, o.exclude
	r.SkipUnreachable, r.DryRun, r.SkippedChecks = o.skipUnreachable, o.dryRun, o.skip.codes
	r.Reread, r.ReadBack, r.Skip = o.reread, o.verify, o.unwanted
	r.Unfinished = unfinished(stateDir(o.app.Env), r.Unfinished)
	r.Recipe = gateways.Told
	if o.offline {
		r.CLI, r.Recipe = nil, nil
	}
	return r
}

// gateways are asked what their sandboxes were made from, and the extensions' store what was added to that. A run that
// only looks opens no store, for opening writes to it.
func (o *backupAllOptions) gateways(seen survey.Survey) *driver.Gateways {
	gateways := &driver.Gateways{Open: o.app.host.Connect(seen.Gateways)}
	if !o.dryRun && !o.offline {
		gateways.Added = o.app.extensions.additions()
	}
	return gateways
}

// savedNothing reports whether nothing at all is of the gateway that -g names. Only --offline needs the question: any
// other run asks the gateway, and is told that it is not registered.
func (o *backupAllOptions) savedNothing(s backup.Summary, inv sandbox.Inventory) bool {
	if !o.offline || o.app.host.Gateway == "" || inv.Empty {
		return false
	}
	return len(s.Sandboxes) == 0 && (s.GatewayState == nil || s.GatewayState.Backup == nil)
}

// unseen is the end of a run that saved all it saw, and could not see everything.
func (o *backupAllOptions) unseen(partial error) *Failure {
	if o.dryRun {
		return unseen("not everything was seen", partial)
	}
	return unseen("what was seen is saved, and not everything was seen", partial)
}

// unseen is the end of a run that did all it could for what it saw, while an engine of this host was silent.
func unseen(what string, partial error) *Failure {
	return &Failure{
		Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("%s: %w", what, partial),
		Hint: "start that engine and run this again; SANDKEEPER_ENGINES names the engines to look at, where one of them is meant to be off",
	}
}

// wholeRun reports whether the run is about the host and not about sandboxes that were named: only then the gateways
// are saved as well.
func (o *backupAllOptions) wholeRun(err error) bool {
	_, unknown := errors.AsType[*backup.UnknownSandboxError](err)
	return len(o.only) == 0 && !unknown
}

// outcome is what the totals mean for a script.
func (o *backupAllOptions) outcome(s backup.Summary) error {
	t := s.Totals
	missing := t.Failed
	if o.strict && !s.DryRun {
		missing += t.Skipped
	}
	switch {
	case missing == 0:
		return nil
	case t.Planned > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial,
			Err:  fmt.Errorf("%d of %d sandboxes would not be backed up", missing, t.Total-t.Orphaned),
			Hint: "each is named above with its reason",
		}
	case t.BackedUp > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial,
			Err:  fmt.Errorf("%d of %d sandboxes are not backed up", missing, t.Total-t.Orphaned),
			Hint: "each is named above with its reason; do not upgrade before they are saved",
		}
	case t.Failed == 0:
		return &Failure{
			Code: ExitRefused, Kind: kindPartial,
			Err:  fmt.Errorf("--strict requires every sandbox to be backed up; %d were skipped", t.Skipped),
			Hint: "each is named above with its reason",
		}
	}

	return &Failure{
		Code: ExitRefused, Kind: "backup_content_error",
		Err:  fmt.Errorf("no sandbox was backed up: %d failed", t.Failed),
		Hint: "each is named above with its reason; do not upgrade before they are saved",
	}
}
