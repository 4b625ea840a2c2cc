package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/backup/store"
)

type backupsPruneOptions struct {
	app    *app
	which  selection
	keep   store.Keep
	yes    bool
	dryRun bool
	store  storeOptions
}

const backupsPruneLong = `Remove old backups. The plan is shown first and carried out after a yes. A backup that any rule wants stays; the newest whole one
and the last verified one of a sandbox always stay; damaged ones are never removed, only named.`

func newBackupsPrune(a *app, run func(context.Context, *backupsPruneOptions) (*answer, error)) *cobra.Command {
	o := &backupsPruneOptions{app: a}
	if run == nil {
		run = runBackupsPrune
	}
	c := &cobra.Command{
		Use: "prune [NAME]", Short: "Remove old backups, plan first", SuggestFor: []string{"delete", "remove", "rm"}, Long: backupsPruneLong,
		Example:     "  sandkeeper backups prune --keep 3\n  sandkeeper backups prune alpha --keep 3 --keep-daily 7 --keep-weekly 4 --yes",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitNotFound, ExitLocked, ExitInterrupted),
	}
	f := c.Flags()
	f.IntVar(&o.keep.Last, "keep", 0, "keep so many newest ones of each sandbox")
	f.IntVar(&o.keep.Daily, "keep-daily", 0, "keep the newest one of so many days")
	f.IntVar(&o.keep.Weekly, "keep-weekly", 0, "keep the newest one of so many weeks")
	f.BoolVarP(&o.yes, "yes", "y", false, "carry the plan out without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan only")
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	o.which.addFlag(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.which.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// pruned is one backup of the plan and what became of it.
type pruned struct {
	Sandbox string   `json:"sandbox"`
	ID      string   `json:"id"`
	Action  string   `json:"action"` // keep, remove, damaged
	Reasons []string `json:"reasons"`
	Done    bool     `json:"done"` // removed
	Error   string   `json:"error"`
}

type pruneResult struct {
	Root    string   `json:"root"`
	DryRun  bool     `json:"dryRun"`
	Removed int      `json:"removed"`
	Plan    []pruned `json:"plan"`
}

func runBackupsPrune(ctx context.Context, o *backupsPruneOptions) (*answer, error) {
	a := o.app
	if _, err := store.PlanPrune(nil, o.keep); err != nil {
		return nil, usage("sandkeeper backups prune --keep 3", "%w", err)
	}
	if err := o.which.single(); err != nil {
		return nil, err
	}
	store, err := a.openStoreToChange(ctx, o.store)
	if err != nil {
		return nil, err
	}
	o.which = o.which.in(store)
	store = o.which.store
	if o.dryRun {
		plan, _, err := o.plan(ctx)
		return pruneAnswer(plan), err
	}
	// The lock comes before the plan: what is planned must still be so when it is done.
	lock, err := store.Lock("backups prune")
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Unlock() }()
	plan, remove, err := o.plan(ctx)
	if err != nil || len(remove) == 0 {
		return pruneAnswer(plan), err
	}
	if err := o.consent(ctx, plan, len(remove)); err != nil {
		return pruneAnswer(plan), err
	}
	err = plan.remove(ctx, store, remove)
	return pruneAnswer(plan), err
}

func pruneAnswer(r *pruneResult) *answer {
	if r == nil {
		return nil
	}
	return &answer{result: r, text: func(a *app) { renderPrune(a, r) }}
}

// plan decides for each sandbox; remove are the backups that would go.
func (o *backupsPruneOptions) plan(ctx context.Context) (*pruneResult, []store.Backup, error) {
	backups, err := o.which.backups(ctx)
	if err != nil {
		return nil, nil, err
	}
	result := &pruneResult{Root: o.which.store.Root(), DryRun: o.dryRun, Plan: []pruned{}}
	var remove []store.Backup
	for _, group := range bySandbox(backups) {
		plan, err := store.PlanPrune(group, o.keep)
		if err != nil {
			return nil, nil, err
		}
		for _, kept := range plan.Keep {
			result.Plan = append(result.Plan, pruned{Sandbox: kept.Backup.Sandbox, ID: kept.Backup.ID, Action: "keep", Reasons: kept.Reasons})
		}
		for _, b := range plan.Damaged {
			result.Plan = append(result.Plan, pruned{Sandbox: b.Sandbox, ID: b.ID, Action: "damaged", Reasons: []string{b.Damage.Error()}})
		}
		for _, b := range plan.Remove {
			result.Plan = append(result.Plan, pruned{Sandbox: b.Sandbox, ID: b.ID, Action: "remove", Reasons: []string{}})
		}
		remove = append(remove, plan.Remove...)
	}
	return result, remove, nil
}

func bySandbox(backups []store.Backup) [][]store.Backup {
	var groups [][]store.Backup
	for i, b := range backups {
		if i == 0 || backups[i-1].Sandbox != b.Sandbox {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], b)
	}
	return groups
}

func (o *backupsPruneOptions) consent(ctx context.Context, plan *pruneResult, n int) error {
	a := o.app
	if o.yes {
		return nil
	}
	var text strings.Builder
	for _, p := range plan.Plan {
		fmt.Fprintf(&text, "%-8s %s %s %s\n", p.Action, p.Sandbox, p.ID, strings.Join(p.Reasons, ", "))
	}
	fmt.Fprintf(&text, "Remove %d backups from %s?", n, plan.Root)
	return a.ask(ctx, question{
		text:     text.String(),
		unasked:  fmt.Sprintf("%d backups would be removed", n),
		flags:    "add --yes, or --dry-run to see the plan only",
		declined: "nothing was removed",
	})
}

func (r *pruneResult) remove(ctx context.Context, store *store.Store, remove []store.Backup) error {
	var problems error
	for _, b := range remove {
		if ctx.Err() != nil {
			return errors.Join(problems, context.Cause(ctx))
		}
		err := store.Remove(b)
		problems = errors.Join(problems, err)
		for i := range r.Plan {
			if p := &r.Plan[i]; p.ID == b.ID && p.Sandbox == b.Sandbox {
				p.Done = err == nil
				if err != nil {
					p.Error = err.Error()
				}
			}
		}
		if err == nil {
			r.Removed++
		}
	}
	if problems != nil && r.Removed > 0 {
		return &Failure{Code: ExitPartial, Kind: kindPartial, Err: problems, Hint: "run the same command again"}
	}
	return problems
}

func renderPrune(a *app, r *pruneResult) {
	for _, p := range r.Plan {
		word := p.Action
		if p.Done {
			word = "removed"
		}
		a.printf("%-8s %s %s %s", word, p.Sandbox, p.ID, strings.Join(p.Reasons, ", "))
	}
	if r.DryRun {
		a.printf("Dry run: nothing was removed.")
		return
	}
	a.printf("%d backups removed from %s", r.Removed, r.Root)
}
