package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle"
	"sandkeeper/migrate"
	"sandkeeper/openshell/wire"
	"sandkeeper/preflight"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
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
	f.StringVar(&o.set, "set", "", "the gateway whose set is meant (default: the one that the sandboxes are made on, else the only set)")
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
	if err := a.oneGateway(); err != nil {
		return nil, err
	}
	found = &answer{}
	seen, err := o.judge(ctx, found)
	if err != nil {
		return found, err
	}
	st, err := a.openStoreToChange(ctx, o.store)
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
	return o.make(ctx, o.importer(maker, set, importing{seen: seen, store: st, identities: identities}), found)
}

// judge is the preflight of the gateway that the sandboxes are made on; it must be one of 0.1.x.
func (o *migrateImportOptions) judge(ctx context.Context, found *answer) (survey.Gateways, error) {
	host := o.app.host()
	registry, err := host.Registry()
	if err != nil {
		return nil, err
	}
	action := preflight.Action{Phrase: preflight.Checking().Phrase, Command: "sandkeeper migrate import"}
	seen := host.Judge(ctx, action, host.Bindings(registry))
	found.preflight = survey.Survey{Gateways: seen}.Report()
	if err := o.app.gate(seen, action, o.allowUnverified); err != nil {
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

// choose finds the set.
func (o *migrateImportOptions) choose(root, target string) (*migrate.Set, error) {
	name := o.set
	if name == "" {
		sets, err := migrate.Sets(root)
		if err != nil {
			return nil, err
		}
		if name = target; !slices.Contains(sets, target) && len(sets) == 1 {
			name = sets[0]
		}
	}
	set, err := migrate.ReadSet(root, name)
	if errors.Is(err, migrate.ErrNoSet) {
		return nil, &Failure{
			Code: ExitNotFound, Kind: "not_found", Err: err,
			Hint: "sandkeeper migrate export makes one while the gateway of 0.0.x runs; --set NAME and --backup-dir say where another one is",
		}
	}
	return set, err
}

// checkNames refuses a name that is nobody's, and two sandboxes of one name.
func (o *migrateImportOptions) checkNames(set *migrate.Set) error {
	taken := map[string]string{}
	known := map[string]bool{}
	for _, m := range set.Sandboxes {
		known[m.Address()] = true
		name := m.Name
		if renamed := o.rename[m.Address()]; renamed != "" {
			name = renamed
		}
		if other := taken[m.Workspace+"/"+name]; other != "" {
			return usage("give each another name", "--rename gives %q and %q one name", other, m.Address())
		}
		taken[m.Workspace+"/"+name] = m.Address()
	}
	for old := range o.rename {
		if !known[old] {
			return usage("sandkeeper migrate plan shows the names", "--rename: there is no sandbox %q in the set", old)
		}
	}
	return nil
}

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

// make refuses while an old container runs, and then goes to work.
func (o *migrateImportOptions) make(ctx context.Context, importer *migrate.Importer, found *answer) (*answer, error) {
	if problems := importer.Running(ctx); len(problems) > 0 {
		return found, &Failure{
			Code: ExitRefused, Kind: "check_failed", Err: fmt.Errorf("nothing was made: %w", errors.Join(problems...)),
			Hint: "stop them so that they stay stopped (docker stop NAME), and export again what they wrote meanwhile; or, where they are on another host: --stopped-elsewhere",
		}
	}
	hold, err := migrate.Hold(ctx, importer.State, importer.Set.Gateway)
	if err != nil {
		return found, err
	}
	defer func() { _ = hold.Close() }() // the kernel takes it back in any case
	result := importer.Import(ctx)
	found.result, found.text = result, func(a *app) { renderImport(a, result) }
	return found, importOutcome(ctx, result)
}

func importOutcome(ctx context.Context, r migrate.Import) error {
	t := r.Totals
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case t.Failed == 0:
		return nil
	case t.Imported+t.Present > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("%d of %d sandboxes are not imported", t.Failed, t.Total),
			Hint: "each is named above with its reason; correct it and run the same command again: what is there is recognised",
		}
	}
	return &Failure{
		Code: ExitRefused, Kind: kindPartial, Err: fmt.Errorf("no sandbox is imported: %d failed", t.Failed),
		Hint: "each is named above with its reason; correct it and run the same command again",
	}
}

func renderImport(a *app, r migrate.Import) {
	table := a.table()
	for _, status := range []migrate.Status{migrate.Failed, migrate.Gone, migrate.ImportedNow, migrate.Present} {
		for _, m := range r.Sandboxes {
			if m.Status == status {
				table.Row(string(m.Status), sandbox.Address(m.Workspace, m.Name), importText(m))
			}
		}
	}
	table.Print(a.Out, func(first, line string) string {
		return strings.Replace(line, first, a.paintOut(statusColor(first), first), 1)
	})
	for _, m := range r.Sandboxes {
		address := sandbox.Address(m.Workspace, m.Name)
		for _, item := range m.Lost {
			a.printf("%s: not carried: %s: %s", address, item.Code, item.Detail)
		}
		if hint := importHint(m); hint != "" {
			a.printf("%s: %s", address, hint)
		}
	}
	t := r.Totals
	a.printf("Migration import: %d imported, %d present, %d gone, %d failed", t.Imported, t.Present, t.Gone, t.Failed)
	if len(r.Removable) > 0 {
		a.printf("Nothing of 0.0.x was removed. Look at each sandbox; the old containers of those that are whole are %s", strings.Join(r.Removable, ", "))
	}
}

func importText(m migrate.ImportedMember) string {
	var parts []string
	if m.As != m.Name {
		parts = append(parts, "as "+m.As)
	}
	switch {
	case m.Reason != "":
		parts = append(parts, m.Reason)
	case m.Status == migrate.Present:
		parts = append(parts, "it is there, made by an earlier import")
	case m.Running:
		parts = append(parts, "from backup "+m.Backup+", and left running")
	default:
		parts = append(parts, "from backup "+m.Backup+", and left stopped, as it was")
	}
	return strings.Join(parts, ": ")
}

// importHint is what to do about a sandbox that failed, where the reason does not say it.
func importHint(m migrate.ImportedMember) string {
	if m.Err() == nil {
		return ""
	}
	if exists, ok := errors.AsType[*recreate.ExistsError](m.Err()); ok {
		return fmt.Sprintf("that sandbox is not one that an import has made: give this one another name (--rename %s=OTHER), or put its home into the one that is there: sandkeeper restore %s --backup %s",
			sandbox.Address(m.Workspace, m.Name), exists.Name, m.Backup)
	}
	if f := failureOf(notMade(m.Err(), "sandkeeper migrate import")); f.Hint != "" {
		return strings.ReplaceAll(f.Hint, "\n", "; ")
	}
	if text := m.Err().Error(); strings.Contains(text, "driver config") || strings.Contains(text, "bind mounts") {
		return "open the gateway's configuration as `sandkeeper migrate plan` says, or add --without-driver-config"
	}
	return ""
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
