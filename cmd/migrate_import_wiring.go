package cmd

import (
	"context"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

func (o *migrateImportOptions) importer(maker *making, set *migrate.Set, in importing) *migrate.Importer {
	a := o.app
	in.app, in.set, in.elsewhere = a, set, o.stoppedElsewhere
	maker.Settle, maker.ReadyLimit = settleOf(o.settle), o.readyLimit
	return &migrate.Importer{
		State: stateDir(a.Env), Gateway: in.seen.Decisive().Seen.Target.Name, Set: set, Store: in.store, Maker: maker.Maker,
		Prepare: in.prepare, StillRuns: in.stillRuns, Rename: o.rename, WithoutDriverConfig: o.withoutDriverConfig,
		Listed: func(ctx context.Context, at driver.Place) ([]lifecycle.Record, error) {
			return in.listed(ctx, maker.gateways, at)
		},
		MakeWorkspace: func(ctx context.Context, name string) error {
			return in.ask(ctx, maker, func(api *openshell.API) error { return api.CreateWorkspace(ctx, name) })
		},
		Replay: func(ctx context.Context, at driver.Place, name string, kept openshell.Beside) error {
			return maker.gateways.Replay(ctx, sandbox.Sandbox{Gateway: at.Gateway, Workspace: at.Workspace, Name: name}, kept)
		},
		Settings: func(ctx context.Context) (settings []openshell.Setting, err error) {
			err = in.ask(ctx, maker, func(api *openshell.API) (err error) {
				settings, err = api.Settings(ctx)
				return err
			})
			return settings, err
		},
		SetSetting: func(ctx context.Context, s openshell.Setting) error {
			return in.ask(ctx, maker, func(api *openshell.API) error { return api.SetSetting(ctx, s) })
		},
		Progress: func(address string, step recreate.Step) {
			a.term.stage(address, string(step))
		},
	}
}

// importing is what an import asks the host.
type importing struct {
	app        *app
	seen       survey.Gateways
	store      *store.Store
	set        *migrate.Set
	identities archive.Identities
	elsewhere  bool // the old containers are on another host
}

// ask asks the gateway that the sandboxes are made on.
func (in importing) ask(ctx context.Context, maker *making, question func(*openshell.API) error) error {
	api, err := maker.gateways.API(ctx, in.seen.Decisive().Seen.Target.Name)
	if err != nil {
		return err
	}
	return question(api)
}
