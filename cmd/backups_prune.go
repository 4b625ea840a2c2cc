package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/sandbox"
)

type backupsPruneOptions struct {
	app    *app
	which  selection
	keep   store.Keep
	yes    bool
	dryRun bool
	store  storeOptions

	identity string
}

const backupsPruneLong = `Remove old backups of sandboxes and, without NAME, of gateways' own state. The plan is shown first and carried out after a yes. A backup that
any rule wants stays; the one that "latest" names and the last verified one of a sandbox or gateway always stay; damaged ones are never removed, only named.
What the backups that stay share with a removed one is kept; a damaged backup, which may need anything, keeps all of it.
Of an encrypted backup that is removed all is kept as long as any other needs a part; --identity tells which part, and only that is kept.`

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
	f.StringVar(&o.identity, "identity", "", "age identity file that opens encrypted backups, so that only what is needed of removed ones is kept")
	o.store.addFlags(f)
	o.store.bucket.addReadFlags(f)
	o.store.addLockFlag(f)
	o.which.addFlag(a, f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.which.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// pruned is one backup of the plan and what became of it.
type pruned struct {
	Sandbox   string   `json:"sandbox"`
	Workspace string   `json:"workspace,omitempty"` // of the sandbox
	Gateway   string   `json:"gateway,omitempty"`   // whose own state it is; then there is no sandbox
	ID        string   `json:"id"`
	Action    string   `json:"action"` // keep, remove, damaged
	Reasons   []string `json:"reasons"`
	Done      bool     `json:"done"` // removed
	Error     string   `json:"error"`
}

func (p pruned) whose() string {
	if p.Gateway != "" {
		return "(gateway " + p.Gateway + ")"
	}
	return sandbox.Address(p.Workspace, p.Sandbox)
}

type pruneResult struct {
	Root    string   `json:"root"`
	DryRun  bool     `json:"dryRun"`
	Removed int      `json:"removed"`
	Plan    []pruned `json:"plan"`
	Unread  int      `json:"unread"` // packs of removed encrypted backups that are kept whole for want of an identity

	// Locked are objects of a bucket that nobody needs any more and that cannot be removed yet.
	Locked []lockedObject `json:"locked,omitempty"`

	shown bool // the plan stood in the question, and nothing was removed
}

func runBackupsPrune(ctx context.Context, o *backupsPruneOptions) (_ *answer, err error) {
	a := o.app
	if _, err := store.PlanPrune(nil, o.keep); err != nil {
		return nil, usage("sandkeeper backups prune --keep 3", "%w", err)
	}
	if err := o.which.single(); err != nil {
		return nil, err
	}
	if o.store.bucket.address != "" {
		return o.pruneOffHost(ctx)
	}
	ids, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	store, err := a.stores.openToChange(ctx, o.store)
	if err != nil {
		return nil, err
	}
	if err := o.store.named(store.Root()); err != nil {
		return nil, err
	}
	scopes, err := o.which.scopes(store)
	if err != nil {
		return nil, err
	}
	if o.dryRun {
		plan, _, err := o.plan(ctx, scopes)
		return pruneAnswer(plan), err
	}
	return o.carryOut(ctx, scopes, ids)
}

// carryOut plans, asks and removes.
func (o *backupsPruneOptions) carryOut(ctx context.Context, scopes []selection, ids archive.Identities) (*answer, error) {
	// The locks come before the plan: what is planned must still be so when it is done.
	unlock, err := lockScopes(scopes)
	if err != nil {
		return nil, err
	}
	defer unlock()
	plan, remove, err := o.plan(ctx, scopes)
	if err != nil {
		return pruneAnswer(plan), err
	}
	if len(remove) > 0 {
		if err := o.consent(ctx, plan, len(remove)); err != nil {
			plan.shown = true
			return pruneAnswer(plan), err
		}
	}

	err = plan.remove(ctx, remove, func(r removal) error { return r.store.Remove(ctx, r.backup, ids) })
	err = errors.Join(err, plan.collect(ctx, scopes, ids))
	return pruneAnswer(plan), err
}

// collect frees what no backup needs any more of those that were removed, now or earlier.
func (r *pruneResult) collect(ctx context.Context, scopes []selection, ids archive.Identities) error {
	var problems error
	done := map[string]bool{}
	for _, scope := range scopes {
		if root := scope.store.Root(); !done[root] {
			done[root] = true
			unread, err := scope.store.Collect(ctx, ids)
			r.Unread += unread
			problems = errors.Join(problems, err)
		}
	}
	return problems
}

// lockScopes locks every store of scopes once.
func lockScopes(scopes []selection) (unlock func(), err error) {
	var locks []*store.Lock
	unlock = func() {
		for _, lock := range locks {
			_ = lock.Unlock() // the kernel takes it back in any case
		}
	}
	locked := map[string]bool{}
	for _, scope := range scopes {
		if locked[scope.store.Root()] {
			continue
		}
		lock, err := scope.store.Lock("backups prune")
		if err != nil {
			unlock()
			return nil, err
		}
		locks = append(locks, lock)
		locked[scope.store.Root()] = true
	}

	return unlock, nil
}

func pruneAnswer(r *pruneResult) *answer {
	if r == nil {
		return nil
	}
	return &answer{result: r, text: func(term *terminal) { renderPrune(term, r) }}
}

// removal is a backup that would go.
type removal struct {
	store  *store.Store
	backup store.Backup
}

// plan decides for each sandbox and each gateway.
func (o *backupsPruneOptions) plan(ctx context.Context, scopes []selection) (*pruneResult, []removal, error) {
	result := &pruneResult{Root: scopes[0].off.root(scopes[0].store), DryRun: o.dryRun, Plan: []pruned{}}
	var remove []removal
	for _, scope := range scopes {
		backups, err := scope.backups(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, group := range store.BySeries(backups) {
			plan, err := store.PlanPrune(group, o.keep)
			if err != nil {
				return nil, nil, err
			}
			result.add(scope, plan)
			for _, b := range plan.Remove {
				remove = append(remove, removal{scope.store, b})
			}
		}
	}
	return result, remove, nil
}

// add lists what becomes of the backups of one sandbox or gateway.
func (r *pruneResult) add(scope selection, plan store.PrunePlan) {
	row := func(b store.Backup, action string, reasons []string) {
		p := pruned{Sandbox: b.Sandbox, Workspace: b.Series().Workspace, ID: b.ID, Action: action, Reasons: reasons}
		if scope.gateway != "" {
			p.Sandbox, p.Workspace, p.Gateway = "", "", b.Sandbox
		}
		r.Plan = append(r.Plan, p)
	}
	for _, kept := range plan.Keep {
		row(kept.Backup, "keep", kept.Reasons)
	}
	for _, b := range plan.Damaged {
		row(b, "damaged", []string{b.Damage.Error()})
	}
	for _, b := range plan.Remove {
		row(b, "remove", []string{})
	}
}

func (o *backupsPruneOptions) consent(ctx context.Context, plan *pruneResult, n int) error {
	a := o.app
	if o.yes {
		return nil
	}
	var text strings.Builder
	for _, p := range plan.Plan {
		fmt.Fprintf(&text, "%-8s %s %s %s\n", p.Action, p.whose(), p.ID, strings.Join(p.Reasons, ", "))
	}
	fmt.Fprintf(&text, "Remove %s from %s?", backupCount(n), plan.Root)
	return a.term.ask(ctx, question{
		text:     text.String(),
		unasked:  backupCount(n) + " would be removed",
		flags:    "add --yes, or --dry-run to see the plan only",
		declined: a.term.nothingWas("removed"),
	})
}

func (r *pruneResult) remove(ctx context.Context, remove []removal, do func(removal) error) error {
	var problems error
	for _, each := range remove {
		if ctx.Err() != nil {
			return errors.Join(problems, context.Cause(ctx))
		}
		b := each.backup
		err := do(each)
		if !errors.Is(err, errLocked) {
			problems = errors.Join(problems, err)
		}
		for i := range r.Plan {
			if p := &r.Plan[i]; p.ID == b.ID && p.Sandbox+p.Gateway == b.Sandbox {
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

func renderPrune(term *terminal, r *pruneResult) {
	if r.shown && term.CanAsk() {
		return
	}
	for _, p := range r.Plan {
		word := p.Action
		if p.Done {
			word = "removed"
		}
		term.printf("%-8s %s %s %s", word, p.whose(), p.ID, strings.Join(p.Reasons, ", "))
	}

	if r.DryRun {
		term.printf("Dry run: nothing was removed.")
		return
	}
	if r.Unread > 0 {
		term.printf("%s of removed encrypted backups stay whole, for only --identity FILE tells what of them others need", size.Count(r.Unread, "pack", "packs"))
	}
	renderLocked(term, r)
	term.printf("%s removed from %s", backupCount(r.Removed), r.Root)
}
