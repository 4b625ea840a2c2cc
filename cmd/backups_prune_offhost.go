package cmd

import (
	"context"
	"errors"
	"time"

	"sandkeeper/backup/bucket"
	"sandkeeper/internal/size"
)

// lockedObject is an object of a bucket that cannot be removed yet.
type lockedObject struct {
	Object string    `json:"object"`
	Until  time.Time `json:"until"`
}

// pruneOffHost prunes what a host has in a bucket. What is locked there stays until its date, which is no failure: the
// next pruning after it removes it.
func (o *backupsPruneOptions) pruneOffHost(ctx context.Context) (_ *answer, err error) {
	st, off, err := o.app.stores.source(ctx, o.store, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	o.which.off = off
	scopes, err := o.which.scopes(st)
	if err != nil {
		return nil, err
	}
	plan, remove, err := o.plan(ctx, scopes)
	if err != nil || o.dryRun {
		return pruneAnswer(plan), err
	}
	if len(remove) > 0 {
		if err := o.consent(ctx, plan, len(remove)); err != nil {
			plan.shown = true
			return pruneAnswer(plan), err
		}
	}

	return pruneAnswer(plan), o.removeOffHost(ctx, off, plan, remove)
}

// removeOffHost carries the plan out. No sync can be under way meanwhile, and a backup that came in between is only one
// more that stays.
func (o *backupsPruneOptions) removeOffHost(ctx context.Context, off *offHost, plan *pruneResult, remove []removal) (err error) {
	root, err := o.app.stores.root(o.store.dir)
	if err != nil {
		return err
	}
	machine, unlock, err := o.app.stores.alone(ctx, root, o.store.lockWait)
	if err != nil {
		return err
	}
	defer unlock()
	session, err := off.bucket.Begin(ctx, bucket.Removing, machine, o.app.PID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.End(ctx)) }()
	held := map[string]*bucket.LockedError{}
	err = plan.remove(ctx, remove, func(r removal) error {
		err := session.Remove(ctx, off.View, r.backup)
		if locked, ok := errors.AsType[*bucket.LockedError](err); ok {
			held[r.backup.Sandbox+r.backup.ID] = locked
			return errLocked
		}
		return err
	})
	plan.settle(held)
	locked, problem := session.Collect(ctx)
	for _, each := range locked {
		plan.Locked = append(plan.Locked, lockedObject{Object: each.Object, Until: each.Until})
	}
	return errors.Join(err, problem)
}

// errLocked marks a backup of the plan that is locked: it stays, and that is no failure.
var errLocked = errors.New("locked")

// settle says of backups that are locked until when they are.
func (r *pruneResult) settle(held map[string]*bucket.LockedError) {
	for i := range r.Plan {
		p := &r.Plan[i]
		if locked := held[p.Sandbox+p.Gateway+p.ID]; locked != nil {
			p.Action, p.Error, p.Reasons = "locked", "", []string{"until " + locked.Until.UTC().Format(time.RFC3339)}
			if locked.Hold {
				p.Reasons = []string{"by a legal hold"}
			}
		}
	}
}

// renderLocked says what is left that nobody needs, and until when.
func renderLocked(term *terminal, r *pruneResult) {
	if len(r.Locked) == 0 {
		return
	}
	last := r.Locked[0].Until
	for _, each := range r.Locked {
		if each.Until.After(last) {
			last = each.Until
		}
	}

	term.printf("%s that no backup needs any more cannot be removed yet, the last one until %s; a later prune removes them", size.Count(len(r.Locked), "object", "objects"), last.UTC().Format(time.RFC3339))
}
