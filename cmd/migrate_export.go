package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/migrate"
	"sandkeeper/preflight"
	"sandkeeper/survey"
)

type migrateExportOptions struct {
	app      *app
	yes      bool
	offline  bool
	identity string
	store    storeOptions
	capture  captureOptions
	skip     skipOptions
}

const migrateExportLong = `Save what a move to OpenShell 0.1.x needs, while the gateway of 0.0.x still runs: of each sandbox its home, its recipe, its policy and its
labels; of the gateway its state, provider profiles, settings and services. Credentials of providers cannot be read: they are named, to be
entered again. Every backup is read back. Then each sandbox is stopped through its gateway, proved stopped, and saved once more.

Nothing is removed. The old containers restart by themselves with their host unless they are stopped; a set is not imported while one runs.

On a host that was upgraded in place, or with --offline, no gateway is asked: the containers are saved and stopped by their engine.`

func newMigrateExport(a *app, run func(context.Context, *migrateExportOptions) (*answer, error)) *cobra.Command {
	o := &migrateExportOptions{app: a}
	if run == nil {
		run = runMigrateExport
	}
	c := &cobra.Command{
		Use: "export", Short: "Save every sandbox for OpenShell 0.1.x, and stop it", Long: migrateExportLong,
		Example:     "  sandkeeper migrate export\n  sandkeeper migrate export --yes --json",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitUnreachable, ExitLocked, ExitDamaged, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "stop the sandboxes without asking")
	f.BoolVar(&o.offline, "offline", false, "contact no gateway: containers are saved, and stopped by their engine")
	f.StringVar(&o.identity, "identity", "", "age key file that opens the backup again, with --encrypt-to")
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	o.capture.addFlags(f)
	o.skip.addFlags(f)
	return c
}

func (o *migrateExportOptions) valid() error {
	if len(o.capture.encryptTo) > 0 && o.identity == "" {
		return usage("add --identity FILE, or leave --encrypt-to out", "an encrypted backup must be opened again to be verified")
	}
	return errors.Join(o.skip.check(), o.capture.check())
}

func runMigrateExport(ctx context.Context, o *migrateExportOptions) (*answer, error) {
	if err := o.valid(); err != nil {
		return nil, err
	}
	a := o.app
	if _, err := a.stores.openToChange(ctx, o.store); err != nil {
		return nil, err
	}
	host, err := a.migrating(ctx, o.store, o.offline)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	if err := o.capture.mayBePlain(host.Store.Root()); err != nil {
		return nil, err
	}
	surviveReaders()
	return o.export(ctx, host)
}

func (o *migrateExportOptions) export(ctx context.Context, host *migrate.Host) (*answer, error) {
	report := host.Gateway().Report
	found := &answer{preflight: &report}
	facts := host.Facts(ctx)
	if facts.SetErr != nil {
		return found, setFailure(facts.SetErr)
	}
	plan := migrate.Make(facts)
	byEngine := o.offline || plan.Stage == migrate.StageRescue || plan.Stage == migrate.StageImport && facts.Running.Stable()
	action := preflight.Action{Phrase: preflight.BackingUp().Phrase, Command: "sandkeeper migrate export"}
	switch {
	case host.Unlisted != nil && (!byEngine || len(plan.Sandboxes) == 0): // who exports what was seen loses the rest
		return found, o.app.gate.looked(host.Seen, found, survey.Question{Action: action, AllowUnverified: true}, host.Unlisted)
	case len(plan.Sandboxes) == 0:
		found.result = migrate.Export{Gateway: facts.Gateway, Sandboxes: []migrate.ExportedMember{}, Files: []string{}, Providers: []migrate.Provider{}}
		found.text = func(term *terminal) { term.printf("No sandbox of OpenShell 0.0.x is here. Nothing to export.") }
		return found, exportUnseen(host.Seen.Inventory.Partial)
	case !byEngine:
		if err := o.app.gate.admit(host.Seen.Gateways, action, true); err != nil {
			return found, err
		}
	}

	if err := o.checkHost(ctx, host, plan, found); err != nil {
		return found, err
	}
	if err := o.confirm(ctx, plan); err != nil {
		return found, err
	}
	lock, err := migrate.Hold(ctx, stateDir(o.app.Env), facts.Gateway)
	if err != nil {
		return found, err
	}
	defer func() { _ = lock.Close() }() // the kernel takes it back in any case
	exporter, err := o.exporter(host, byEngine)
	if err != nil {
		return found, err
	}
	result, err := exporter.Export(ctx, o.input(ctx, host, facts, byEngine))
	result.Warnings = append(result.Warnings, facts.Unseen...)
	found.result, found.text = result, func(term *terminal) { renderExport(term, result) }
	if err = errors.Join(err, exportOutcome(result, err)); err == nil {
		err = exportUnseen(host.Seen.Inventory.Partial)
	}
	return found, err
}

// exportUnseen is the end of an export of all that was seen.
func exportUnseen(partial error) error {
	if partial == nil {
		return nil
	}
	return unseen("what was seen is exported, and not everything was seen", partial)
}

// checkHost runs the host's checks for what will be saved.
func (o *migrateExportOptions) checkHost(ctx context.Context, host *migrate.Host, plan migrate.Plan, found *answer) error {
	names := make([]string, 0, len(plan.Sandboxes))
	for _, s := range plan.Sandboxes {
		names = append(names, s.Name)
	}
	return o.app.checks.check(ctx, hostRun{
		facts:  hostFacts{seen: host.Gateway().Seen, registry: host.Seen.Registry, root: host.Store.Root(), store: host.Store, engines: host.Seen.Engines},
		chosen: func([]string) []string { return names }, report: found.preflight, skip: o.skip,
		undone: "stopped or written",
	})
}

// confirm asks before anything is stopped.
func (o *migrateExportOptions) confirm(ctx context.Context, plan migrate.Plan) error {
	if o.yes {
		return nil
	}
	var running []string
	for _, s := range plan.Sandboxes {
		if s.Running {
			running = append(running, s.Address())
		}
	}

	if len(running) == 0 {
		return nil
	}
	text := fmt.Sprintf("To be saved, then stopped, and left stopped: %s, %s.", sandboxCount(len(running)), strings.Join(running, ", "))
	return o.app.term.ask(ctx, question{
		text: text + "\nNothing is removed. Go on?", unasked: text + " This wants an answer", flags: "add --yes to go on without a question",
		declined: o.app.term.nothingWas("saved or stopped"),
	})
}
