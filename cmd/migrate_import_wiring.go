package cmd

import (
	"context"
	"maps"
	"slices"

	"sandkeeper/driver"
	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
)

// again is the command line of this import on a gateway.
func (o *migrateImportOptions) again(name string) string {
	line := "sandkeeper migrate import -g " + text.ShellWord(name)
	if o.set != "" {
		line += " --set " + text.ShellWord(o.set)
	}
	for _, old := range slices.Sorted(maps.Keys(o.rename)) {
		line += " --rename " + text.ShellWord(old+"="+o.rename[old])
	}
	if o.withoutDriverConfig {
		line += " --without-driver-config"
	}
	if o.stoppedElsewhere {
		line += " --stopped-elsewhere"
	}
	if o.identity != "" {
		line += " --identity " + text.ShellWord(o.identity)
	}
	return line + o.app.stores.flag(o.store.dir)
}

// importer wires what an import works with. name is the gateway that the sandboxes are made on.
func (o *migrateImportOptions) importer(maker *making, set *migrate.Set, from migrate.Source, name string) *migrate.Importer {
	a := o.app
	ask := func(ctx context.Context, question func(*openshell.API) error) error {
		api, err := maker.gateways.API(ctx, name)
		if err != nil {
			return err
		}
		return question(api)
	}

	maker.Settle, maker.ReadyLimit = settleOf(o.settle), o.readyLimit
	return &migrate.Importer{
		State: stateDir(a.Env), Gateway: name, Set: set, Store: from.Store, Maker: maker.Maker,
		Prepare: from.Prepare, StillRuns: from.StillRuns, Again: o.again(name), StoreFlag: a.stores.flag(o.store.dir), Rename: o.rename, WithoutDriverConfig: o.withoutDriverConfig,
		Listed: func(ctx context.Context, at driver.Place) ([]lifecycle.Record, error) {
			on, err := maker.gateways.Driver(ctx, at)
			if err != nil {
				return nil, err
			}
			return on.ListSandboxes(ctx)
		},
		MakeWorkspace: func(ctx context.Context, name string) error {
			return ask(ctx, func(api *openshell.API) error { return api.CreateWorkspace(ctx, name) })
		},
		Replay: func(ctx context.Context, at driver.Place, name string, kept openshell.Beside) error {
			return maker.gateways.Replay(ctx, sandbox.Sandbox{Gateway: at.Gateway, Workspace: at.Workspace, Name: name}, kept)
		},
		Settings: func(ctx context.Context) (settings []openshell.Setting, err error) {
			err = ask(ctx, func(api *openshell.API) (err error) {
				settings, err = api.Settings(ctx)
				return err
			})
			return settings, err
		},
		SetSetting: func(ctx context.Context, s openshell.Setting) error {
			return ask(ctx, func(api *openshell.API) error { return api.SetSetting(ctx, s) })
		},
		Progress: func(address string, step recreate.Step) { a.term.stage(address, string(step)) },
	}
}
