package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/driver"
	"sandkeeper/migrate"
	"sandkeeper/openshell/wire"
	"sandkeeper/preflight"
	"sandkeeper/survey"
)

type migrateImportOptions struct {
	app                 *app
	set                 string
	rename              map[string]string
	withoutDriverConfig bool
	stoppedElsewhere    bool
	allowUnverified     bool
	identity            string
	settle, readyLimit  time.Duration
	store               storeOptions
}

const migrateImportLong = `Make the sandboxes of an exported set on a gateway of OpenShell 0.1.x: each is created from its recipe, watched until it stays Ready, given its
home back, and left in the phase that it had. What could not be carried is listed by name.

It refuses while an old container of the set runs: two agents would work with one identity. It can be repeated, also after it was killed:
what is there is recognised, and one sandbox that fails stops no other. Nothing of 0.0.x is removed.`

func newMigrateImport(a *app, run func(context.Context, *migrateImportOptions) (*answer, error)) *cobra.Command {
	o := &migrateImportOptions{app: a}
	if run == nil {
		run = runMigrateImport
	}
	c := &cobra.Command{
		Use: "import", Short: "Make the exported sandboxes on OpenShell 0.1.x", Long: migrateImportLong,
		Example:     "  sandkeeper migrate import\n  sandkeeper migrate import --rename an-agent-with-a-long-name=agent",
		Annotations: creating(exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitUnreachable, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted), ""),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.StringVar(&o.set, "set", "", "the gateway whose set is meant (default: the gateway that the sandboxes are made on, else the only set)")
	f.StringToStringVar(&o.rename, "rename", nil, "give a sandbox another name: OLD=NEW, or WORKSPACE/OLD=NEW")
	f.BoolVar(&o.withoutDriverConfig, "without-driver-config", false, "leave out mounts and driver configurations, which 0.1.x refuses by default")
	f.BoolVar(&o.stoppedElsewhere, "stopped-elsewhere", false, "the old containers are on another host, and you have seen that they do not run")
	f.BoolVar(&o.allowUnverified, "allow-unverified", false, "go on when CLI and gateway cannot be shown to agree")
	f.StringVar(&o.identity, "identity", "", "age key file that opens encrypted backups")
	f.DurationVar(&o.settle, "settle", driver.DefaultSettle, "how long a new sandbox must stay Ready")
	f.DurationVar(&o.readyLimit, "ready-limit", driver.DefaultReadyLimit, "how long a sandbox may take to be Ready")
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	return c
}

func runMigrateImport(ctx context.Context, o *migrateImportOptions) (found *answer, err error) {
	a := o.app
	if o.settle < 0 || o.readyLimit <= 0 {
		return nil, usage("give durations such as 10s and 5m", "--settle must not be negative, and --ready-limit must be positive")
	}
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	if err := oneGateway(a.host); err != nil {
		return nil, err
	}
	found = &answer{}
	seen, err := o.judge(ctx, found)
	if err != nil {
		return found, err
	}
	st, err := a.stores.openToChange(ctx, o.store)
	if err != nil {
		return found, err
	}
	set, err := o.choose(st.Root(), seen.Decisive().Seen.Target.Name)
	if err != nil {
		return found, err
	}
	if err := o.checkNames(set); err != nil {
		return found, err
	}
	lock, err := st.Lock("migrate import")
	if err != nil {
		return found, err
	}
	defer func() { _ = lock.Unlock() }() // the kernel takes it back in any case
	surviveReaders()
	maker, err := a.maker(ctx, seen, false)
	if err != nil {
		return found, err
	}
	defer func() { err = joined(err, maker.close()) }()
	from := migrate.Source{Host: a.host, Store: st, Identities: identities, Elsewhere: o.stoppedElsewhere}
	return o.make(ctx, o.importer(maker, set, from, seen.Decisive().Seen.Target.Name), found)
}

// judge is the preflight of the gateway that the sandboxes are made on; it must be one of 0.1.x.
func (o *migrateImportOptions) judge(ctx context.Context, found *answer) (survey.Gateways, error) {
	host := o.app.host
	registry, err := host.Registry()
	if err != nil {
		return nil, err
	}
	action := preflight.Action{Phrase: preflight.Checking().Phrase, Command: "sandkeeper migrate import"}
	seen := host.Judge(ctx, action, host.Bindings(registry))
	found.preflight = survey.Survey{Gateways: seen}.Report()
	if err := o.app.gate.admit(seen, action, o.allowUnverified); err != nil {
		return seen, err
	}
	name := seen.Decisive().Seen.Target.Name
	api, err := host.Connect(seen)(ctx, name)
	if err != nil {
		return seen, err
	}
	defer func() { _ = api.Close() }() // it was only asked
	if api.Generation() == wire.Timestamps {
		return seen, nil
	}
	return seen, &Failure{
		Code: ExitRefused, Kind: "check_failed", Err: fmt.Errorf("gateway %q is OpenShell %s: a set is imported by 0.1.x", name, orDash(api.Served())),
		Hint: "sandkeeper migrate plan says what comes before",
	}
}

// make refuses while an old container runs, and then goes to work.
func (o *migrateImportOptions) make(ctx context.Context, importer *migrate.Importer, found *answer) (*answer, error) {
	if problems := importer.Running(ctx); len(problems) > 0 {
		return found, &Failure{
			Code: ExitRefused, Kind: "check_failed", Err: fmt.Errorf("nothing was made: %w", errors.Join(problems...)),
			Hint: "stop them so that they stay stopped (docker stop NAME, or podman stop NAME), and export again what they wrote meanwhile; or, where they are on another host: --stopped-elsewhere",
		}
	}

	hold, err := migrate.Hold(ctx, importer.State, importer.Set.Gateway)
	if err != nil {
		return found, err
	}
	defer func() { _ = hold.Close() }() // the kernel takes it back in any case
	result := importer.Import(ctx)
	found.result, found.text = result, func(term *terminal) { renderImport(term, result, importer) }
	return found, importOutcome(ctx, result)
}
