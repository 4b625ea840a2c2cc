package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
	"sandkeeper/internal/size"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

type statusOptions struct {
	app     *app
	maxAge  time.Duration
	html    string
	metrics string
	offline bool
	store   storeOptions
}

const statusLong = `Say of every sandbox how old its newest backup is, and whether it was ever read back: those without a backup first. Changes nothing.

The sandboxes are those that the registry, the gateways and the containers name. When a gateway cannot be trusted or does not answer, they
are those of the registry and the containers alone, and a warning says so; --offline contacts no gateway to begin with.

With --max-age it ends with 6 when a sandbox has no backup that was read back (backup-all --verify, backups verify --read-data) and is
as young as that. --json and --metrics FILE (for Prometheus' node exporter) tell a monitor the same, --html FILE tells people.`

func newStatus(a *app, run func(context.Context, *statusOptions) (*answer, error)) *cobra.Command {
	o := &statusOptions{app: a}
	if run == nil {
		run = runStatus
	}
	c := &cobra.Command{
		Use: "status", Short: "Say how old and how well proven the backups of each sandbox are", Long: statusLong,
		Example:     "  sandkeeper status\n  sandkeeper status --max-age 26h --quiet\n  sandkeeper status --html status.html",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitOverdue, ExitNotFound, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	o.addReportFlags(f)
	f.BoolVar(&o.offline, "offline", false, "contact no gateway: registry and containers are the inventory")
	o.store.addFlags(f)
	return c
}

func (o *statusOptions) addReportFlags(f *pflag.FlagSet) {
	f.DurationVar(&o.maxAge, "max-age", 0, "exit 6 when a sandbox has no verified backup as young as this, such as 26h")
	f.StringVar(&o.html, "html", "", "write the same as a page to this file")
	addMetricsFlag(f, &o.metrics)
}

func (o *statusOptions) valid() error {
	if o.maxAge < 0 {
		return usage("give a duration such as 26h", "--max-age must not be negative")
	}
	return nil
}

func runStatus(ctx context.Context, o *statusOptions) (*answer, error) {
	if err := o.valid(); err != nil {
		return nil, err
	}
	st, err := o.app.stores.open(o.store)
	if err != nil {
		return nil, err
	}
	inventory, unseen, err := o.inventory(ctx)
	if err != nil {
		return nil, err
	}
	question := o.question(st, inventory, unseen)
	report, err := watch.Look(question)
	if err != nil {
		return nil, err
	}
	if !report.Matches(question) && question.Complete && o.mayBeMistyped() {
		return nil, o.app.noSandbox()
	}
	if report.LastRun, err = o.app.history.lastBackup(report.Root); err != nil {
		o.app.term.warn("%v", err)
	}
	found := &answer{result: report, text: func(term *terminal) {
		renderStatus(term, report, ofGateway(o.app.host.Gateway)+inWorkspace(o.app.host.Workspace), o.app.stores.place(o.store))
	}}
	return found, joined(o.publish(report), o.verdict(report, o.app.stores.place(o.store), unseen))
}

// mayBeMistyped reports whether a name limits what is watched that nobody would know to be wrong: a gateway that is
// asked says whether there is one of that name. A monitor of a mistyped name would be content for ever.
func (o *statusOptions) mayBeMistyped() bool {
	host := o.app.host
	return host.Workspace != "" || o.offline && host.Gateway != ""
}

func (o *statusOptions) question(st *store.Store, inventory sandbox.Inventory, unseen error) watch.Question {
	host := o.app.host
	return watch.Question{
		Store: st, Inventory: inventory, Complete: unseen == nil, Gateway: host.Gateway, Workspace: host.Workspace, MaxAge: o.maxAge, Now: time.Now(),
	}
}

// inventory takes the inventory with as many witnesses as there are. What could not be looked at is unseen, and no
// error.
func (o *statusOptions) inventory(ctx context.Context) (inv sandbox.Inventory, unseen, err error) {
	a := o.app
	recorded := a.stores.recorded(o.store)
	if !o.offline {
		inv, unseen, err = o.askGateways(ctx, recorded)
		if err == nil || isRegistry(err) {
			return inv, unseen, err
		}
		a.term.warn("the sandboxes shown are those of the registry and of the containers only: %v", err)
	}

	offline, problem := a.host.LookOffline(ctx, recorded)
	for _, warning := range offline.Inventory.Warnings {
		a.term.warn("%s", warning)
	}
	switch {
	case isRegistry(problem):
		return inv, nil, problem
	case problem != nil:
		a.term.warn("%v", problem)
		return sandbox.Inventory{}, problem, nil
	case err != nil:
		return offline.Inventory, err, nil
	}

	return offline.Inventory, offline.Inventory.Partial, nil
}

// isRegistry reports an error of the registry: without it nobody can say which sandboxes there are.
func isRegistry(err error) bool {
	_, broken := errors.AsType[*sandbox.RegistryError](err)
	_, port := errors.AsType[*survey.PortError](err)
	return broken || port
}

// askGateways takes the inventory after the schema gate; whatever is in the way is the error.
func (o *statusOptions) askGateways(ctx context.Context, recorded func(name, id string) string) (inv sandbox.Inventory, unseen, err error) {
	a := o.app
	seen, err := a.host.Look(ctx, survey.Question{Action: preflight.Checking(), AllowUnverified: true, Recorded: recorded})
	for _, warning := range seen.Inventory.Warnings {
		a.term.warn("%s", warning)
	}
	return seen.Inventory, seen.Inventory.Partial, err
}

// verdict is what the report means for a monitor; where is what a command needs to find the backups.
func (o *statusOptions) verdict(r watch.Report, where string, unseen error) error {
	late := r.Late()
	switch {
	case o.maxAge == 0:
		return nil
	case len(late) > 0:
		return &Failure{
			Code: ExitOverdue, Kind: "overdue", Err: fmt.Errorf("%d of %s without a verified backup that is younger than %s", len(late), size.Count(r.Totals.Sandboxes, "sandbox is", "sandboxes are"), r.MaxAge),
			Hint: "sandkeeper backup-all --verify" + where + " makes one of each",
		}
	case unseen != nil:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("every sandbox that was seen has a backup that young, and not everything was seen: %w", unseen),
			Hint: "sandkeeper preflight says what is in the way; --offline is content with registry and containers",
		}
	}
	return nil
}
