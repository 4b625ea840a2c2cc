package cmd

import (
	"context"
	"fmt"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle"
	"sandkeeper/migrate"
	"sandkeeper/recreate"
	"sandkeeper/survey"
)

func (o *migrateImportOptions) importer(maker *making, set *migrate.Set, in importing) *migrate.Importer {
	a := o.app
	in.app, in.set, in.elsewhere = a, set, o.stoppedElsewhere
	maker.Settle, maker.ReadyLimit = settleOf(o.settle), o.readyLimit
	return &migrate.Importer{
		State: a.stateDir(), Gateway: in.seen.Decisive().Seen.Target.Name, Set: set, Store: in.store, Maker: maker.Maker,
		Prepare: in.prepare, StillRuns: in.stillRuns, Rename: o.rename, WithoutDriverConfig: o.withoutDriverConfig,
		Listed: func(ctx context.Context, at driver.Place) ([]lifecycle.Record, error) {
			return in.listed(ctx, maker.gateways, at)
		},
		MakeWorkspace: func(ctx context.Context, name string) error {
			api, err := maker.gateways.API(ctx, in.seen.Decisive().Seen.Target.Name)
			if err != nil {
				return err
			}
			return api.CreateWorkspace(ctx, name)
		},
		Progress: func(address string, step recreate.Step) {
			fmt.Fprintf(a.progressStreams().Err, "%s: %s\n", ui.Clean(address), step)
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
