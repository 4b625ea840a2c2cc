package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup"
	"sandkeeper/backup/gatewaystate"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/ui"
	"sandkeeper/migrate"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
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
	if _, err := a.openStoreToChange(ctx, o.store); err != nil {
		return nil, err
	}
	host, err := a.migrating(ctx, o.store, o.offline)
	if err != nil {
		return nil, err
	}
	defer host.close()
	if err := o.capture.mayBePlain(host.store.Root()); err != nil {
		return nil, err
	}
	surviveReaders()
	return o.export(ctx, host)
}

func (o *migrateExportOptions) export(ctx context.Context, host *migrating) (*answer, error) {
	report := host.gateway().Report
	found := &answer{preflight: &report}
	facts := host.facts(ctx)
	plan := migrate.Make(facts)
	byEngine := o.offline || plan.Stage == migrate.StageRescue || plan.Stage == migrate.StageImport && facts.Running.Stable()
	action := preflight.Action{Phrase: preflight.BackingUp().Phrase, Command: "sandkeeper migrate export"}
	switch {
	case len(plan.Sandboxes) == 0:
		found.result = migrate.Export{Gateway: facts.Gateway, Sandboxes: []migrate.ExportedMember{}, Files: []string{}, Providers: []migrate.Provider{}}
		found.text = func(a *app) { a.printf("No sandbox of OpenShell 0.0.x is here. Nothing to export.") }
		return found, nil
	case !byEngine:
		if err := o.app.gate(host.seen.Gateways, action, true); err != nil {
			return found, err
		}
	}
	if err := o.checkHost(ctx, host, plan, found); err != nil {
		return found, err
	}
	if err := o.confirm(ctx, plan); err != nil {
		return found, err
	}
	lock, err := migrate.Hold(ctx, o.app.stateDir(), facts.Gateway)
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
	found.result, found.text = result, func(a *app) { renderExport(a, result) }
	return found, errors.Join(err, exportOutcome(result, err))
}

// checkHost runs the host's checks for what will be saved.
func (o *migrateExportOptions) checkHost(ctx context.Context, host *migrating, plan migrate.Plan, found *answer) error {
	names := make([]string, 0, len(plan.Sandboxes))
	for _, s := range plan.Sandboxes {
		names = append(names, s.Name)
	}
	return o.app.checkHost(ctx, hostRun{
		facts:  hostFacts{seen: host.gateway().Seen, registry: host.seen.Registry, root: host.store.Root(), store: host.store, engines: host.seen.Engines},
		chosen: func([]string) []string { return names }, report: found.preflight, skip: o.skip,
		hint: "nothing was stopped or written; make room or choose another folder with --backup-dir, or go on with --skip-check CODE",
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
	text := fmt.Sprintf("%d sandbox(es) are saved, then stopped, and stay stopped: %s.", len(running), strings.Join(running, ", "))
	return o.app.ask(ctx, question{
		text: text + "\nNothing is removed. Go on?", unasked: text + " This wants an answer", flags: "add --yes to go on without a question",
		declined: "nothing was saved or stopped",
	})
}

// exporter wires what an export works with.
func (o *migrateExportOptions) exporter(host *migrating, byEngine bool) (*migrate.Exporter, error) {
	a := o.app
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	main, _ := host.seen.Engines.Main()
	content := &upgrade.Backups{
		Store: host.store, Engine: main, Identities: identities, Stall: o.capture.stallLimit,
		Run: func() *backup.Options {
			run := a.backupRun(host.store, host.seen, o.capture, nil)
			run.Label, run.Progress, run.SkippedChecks = "for a migration", nil, o.skip.codes
			run.Unfinished = a.unfinished(run.Unfinished)
			if o.offline {
				run.CLI = nil
			} else {
				run.Recipe = host.gateways.Told
			}
			return run
		},
	}
	exporter := &migrate.Exporter{
		Root: host.store.Root(), Tool: version().Version, Now: time.Now, EngineOf: host.engineOf,
		Save: func(ctx context.Context, sb sandbox.Sandbox) (store.Backup, error) {
			saved, err := content.Save(ctx, host.asked(sb))
			if err != nil {
				return store.Backup{}, err
			}
			return host.store.Find(sb.Name, saved.ID)
		},
		WithRecipe: func(of store.Series) string {
			b, err := host.store.NewestRecipe(of)
			if err != nil {
				return ""
			}
			return b.ID
		},
		Progress: func(address, step string) { fmt.Fprintf(a.progressStreams().Err, "%s: %s\n", ui.Clean(address), step) },
	}
	if !byEngine {
		exporter.Stop = func(ctx context.Context, sb sandbox.Sandbox) error {
			return host.gateways.StopSandbox(ctx, host.asked(sb))
		}
	}
	return exporter, nil
}

// engineOf is the engine of a container; nil where there is none.
func (h *migrating) engineOf(c engine.Container) migrate.Engine {
	if on := h.seen.Engines.Of(c); on != nil {
		return on
	}
	return nil
}

// input adds to what was seen what is saved of the gateway itself.
func (o *migrateExportOptions) input(ctx context.Context, host *migrating, facts migrate.Facts, byEngine bool) migrate.Input {
	in := migrate.Input{Facts: facts, Workspaces: workspacesOf(host.sandboxes()), Files: map[string][]byte{}}
	gateways := host.seen.Gateways
	if o.offline {
		gateways = nil
	}
	state, saved := o.app.saveGatewayState(ctx, host.gateway().Binding, gateways, gatewaystate.Saving{
		Store: host.store, Label: "for a migration", Recipients: o.capture.encryptTo, Plain: o.capture.allowPlaintext, Skipped: o.skip.codes,
	})
	switch {
	case saved:
		in.StateWhy = state.Reason
		if state.Backup != nil {
			in.State = state.Backup.ID
		}
	default:
		in.StateWhy = "it is not of this host"
	}
	if o.offline || byEngine {
		return in
	}
	for name, content := range o.app.providerProfiles(ctx, gateways, host.name()) {
		in.Files[filepath.ToSlash(name)] = content
	}
	if cli := o.app.host().CLI(gateways); cli != nil {
		settings, missing := cli.HostSettings(ctx, host.name())
		for name, content := range settings {
			in.Files[name] = content
		}
		for name, why := range missing {
			o.app.warn("%s of gateway %q is not in the set: %s", name, host.name(), why)
		}
	}
	return in
}

func exportOutcome(e migrate.Export, err error) error {
	t := e.Totals
	switch {
	case err != nil || t.Failed == 0:
		return nil
	case t.Exported > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("%d of %d sandboxes are not exported", t.Failed, t.Total),
			Hint: "each is named above with its reason; correct it and run the same command again before anything of 0.0.x is uninstalled",
		}
	}
	return &Failure{
		Code: ExitRefused, Kind: "backup_content_error", Err: fmt.Errorf("no sandbox is exported: %d failed", t.Failed),
		Hint: "each is named above with its reason; uninstall nothing of 0.0.x before they are exported",
	}
}

func renderExport(a *app, e migrate.Export) {
	table := a.table()
	for _, status := range []migrate.Status{migrate.Failed, migrate.Exported} {
		for _, m := range e.Sandboxes {
			if m.Status != status {
				continue
			}
			detail := "backup " + m.Backup + ", " + wasText(m)
			if m.Reason != "" {
				detail = m.Reason
			}
			table.Row(string(m.Status), sandbox.Address(m.Workspace, m.Name), detail)
		}
	}
	table.Print(a.Out, func(first, line string) string {
		return strings.Replace(line, first, a.paintOut(statusColor(first), first), 1)
	})
	for _, m := range e.Sandboxes {
		for _, item := range m.Refused {
			a.printf("%s: a gateway of 0.1.x refuses %s: %s; %s", sandbox.Address(m.Workspace, m.Name), item.Code, item.Detail, item.Fix)
		}
	}
	for _, warning := range e.Warnings {
		a.printf("warning: %s", warning)
	}
	for _, p := range e.Providers {
		a.printf("enter again on the new gateway: provider %s (%s): %s", p.Name, p.Type, orDash(strings.Join(p.Credentials, ", ")))
	}
	a.printf("Migration export: %d exported, %d failed", e.Totals.Exported, e.Totals.Failed)
	if e.Set != "" {
		a.printf("Set: %s", e.Set)
	}
	if e.Totals.Failed == 0 {
		a.printf("Nothing was removed. What to do next: sandkeeper migrate plan -g %s", e.Gateway)
	}
}

func wasText(m migrate.ExportedMember) string {
	if m.WasRunning {
		return "stopped now; it ran, and runs again after the import"
	}
	return "it was stopped, and stays so"
}
