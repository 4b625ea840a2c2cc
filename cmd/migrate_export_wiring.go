package cmd

import (
	"context"
	"path/filepath"
	"time"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/gatewaystate"
	"sandkeeper/backup/store"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

// exporter wires what an export works with.
func (o *migrateExportOptions) exporter(host *migrate.Host, byEngine bool) (*migrate.Exporter, error) {
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	exporter := &migrate.Exporter{
		Root: host.Store.Root(), Tool: version().Version, Now: time.Now, EngineOf: host.EngineOf, Save: o.saver(host, identities),
		WithRecipe: func(of store.Series) string {
			b, err := host.Store.NewestRecipe(of)
			if err != nil {
				return ""
			}
			return b.ID
		},
		Progress: o.app.term.stage,
	}
	if !o.offline {
		host.Gateways.Added = o.app.extensions.additions()
	}
	if !byEngine {
		exporter.Beside = func(ctx context.Context, sb sandbox.Sandbox) (openshell.Beside, error) {
			return host.Gateways.Beside(ctx, host.Asked(sb))
		}
		exporter.Stop = func(ctx context.Context, sb sandbox.Sandbox) error {
			return host.Gateways.StopSandbox(ctx, host.Asked(sb))
		}
	}

	return exporter, nil
}

// saver makes one backup and reads it back, as an upgrade does.
func (o *migrateExportOptions) saver(host *migrate.Host, ids archive.Identities) func(context.Context, sandbox.Sandbox) (store.Backup, error) {
	main, _ := host.Seen.Engines.Main()
	content := &upgrade.Backups{
		Store: host.Store, Engine: main, Identities: ids, Stall: o.capture.stallLimit,
		Run: func() *backup.Options { return o.backupRun(host) },
	}
	return func(ctx context.Context, sb sandbox.Sandbox) (store.Backup, error) {
		saved, err := content.Save(ctx, host.Asked(sb))
		if err != nil {
			return store.Backup{}, err
		}
		return host.Store.Find(sb.Name, saved.ID)
	}
}

func (o *migrateExportOptions) backupRun(host *migrate.Host) *backup.Options {
	run := o.app.backupRun(host.Store, host.Seen, o.capture, nil)
	run.Label, run.Progress, run.SkippedChecks = "for a migration", nil, o.skip.codes
	run.Unfinished = unfinished(stateDir(o.app.Env), run.Unfinished)
	if o.offline {
		run.CLI = nil
	} else {
		run.Recipe = host.Gateways.Told
	}

	return run
}

// input adds to what was seen what is saved of the gateway itself.
func (o *migrateExportOptions) input(ctx context.Context, host *migrate.Host, facts migrate.Facts, byEngine bool) migrate.Input {
	in := migrate.Input{Facts: facts, Workspaces: host.Workspaces(ctx), Asked: !o.offline && !byEngine, Files: map[string][]byte{}}
	gateways := host.Seen.Gateways
	if o.offline {
		gateways = nil
	}
	state, saved := o.app.saveGatewayState(ctx, host.Gateway().Binding, gateways, gatewaystate.Saving{
		Store: host.Store, Label: "for a migration", Recipients: o.capture.encryptTo, Plain: o.capture.allowPlaintext, Skipped: o.skip.codes,
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

	if !in.Asked {
		return in
	}
	in.Settings = host.Settings(ctx)
	for name, content := range o.app.providerProfiles(ctx, gateways, host.Name()) {
		in.Files[filepath.ToSlash(name)] = content
	}
	if cli := o.app.host.CLI(gateways); cli != nil {
		settings, missing := cli.HostSettings(ctx, host.Name())
		for name, content := range settings {
			in.Files[name] = content
		}
		for name, why := range missing {
			o.app.term.warn("%s of gateway %q is not in the set: %s", name, host.Name(), why)
		}
	}

	return in
}
