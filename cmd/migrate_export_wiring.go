package cmd

import (
	"context"
	"path/filepath"
	"time"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/gatewaystate"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

// exporter wires what an export works with.
func (o *migrateExportOptions) exporter(host *migrating, byEngine bool) (*migrate.Exporter, error) {
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	exporter := &migrate.Exporter{
		Root: host.store.Root(), Tool: version().Version, Now: time.Now, EngineOf: host.engineOf, Save: o.saver(host, identities),
		WithRecipe: func(of store.Series) string {
			b, err := host.store.NewestRecipe(of)
			if err != nil {
				return ""
			}
			return b.ID
		},
		Progress: o.app.term.stage,
	}
	if !o.offline {
		host.gateways.Added = o.app.extensions.additions()
	}
	if !byEngine {
		exporter.Beside = func(ctx context.Context, sb sandbox.Sandbox) (openshell.Beside, error) {
			return host.gateways.Beside(ctx, host.asked(sb))
		}
		exporter.Stop = func(ctx context.Context, sb sandbox.Sandbox) error {
			return host.gateways.StopSandbox(ctx, host.asked(sb))
		}
	}

	return exporter, nil
}

// saver makes one backup and reads it back, as an upgrade does.
func (o *migrateExportOptions) saver(host *migrating, ids archive.Identities) func(context.Context, sandbox.Sandbox) (store.Backup, error) {
	main, _ := host.seen.Engines.Main()
	content := &upgrade.Backups{
		Store: host.store, Engine: main, Identities: ids, Stall: o.capture.stallLimit,
		Run: func() *backup.Options { return o.backupRun(host) },
	}
	return func(ctx context.Context, sb sandbox.Sandbox) (store.Backup, error) {
		saved, err := content.Save(ctx, host.asked(sb))
		if err != nil {
			return store.Backup{}, err
		}
		return host.store.Find(sb.Name, saved.ID)
	}
}

func (o *migrateExportOptions) backupRun(host *migrating) *backup.Options {
	run := o.app.backupRun(host.store, host.seen, o.capture, nil)
	run.Label, run.Progress, run.SkippedChecks = "for a migration", nil, o.skip.codes
	run.Unfinished = unfinished(stateDir(o.app.Env), run.Unfinished)
	if o.offline {
		run.CLI = nil
	} else {
		run.Recipe = host.gateways.Told
	}

	return run
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
	in := migrate.Input{Facts: facts, Workspaces: host.workspaces(ctx), Asked: !o.offline && !byEngine, Files: map[string][]byte{}}
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

	if !in.Asked {
		return in
	}
	in.Settings = host.settings(ctx)
	for name, content := range o.app.providerProfiles(ctx, gateways, host.name()) {
		in.Files[filepath.ToSlash(name)] = content
	}
	if cli := o.app.host.CLI(gateways); cli != nil {
		settings, missing := cli.HostSettings(ctx, host.name())
		for name, content := range settings {
			in.Files[name] = content
		}
		for name, why := range missing {
			o.app.term.warn("%s of gateway %q is not in the set: %s", name, host.name(), why)
		}
	}

	return in
}

// settings are those of the whole gateway that somebody has set.
func (h *migrating) settings(ctx context.Context) []openshell.Setting {
	api, err := h.gateways.API(ctx, h.name())
	if err != nil {
		return nil // that it does not answer is said
	}
	settings, err := api.Settings(ctx)
	if err != nil {
		h.app.term.warn("the settings of gateway %q are not in the set: %v", h.name(), err)
	}
	return settings
}
