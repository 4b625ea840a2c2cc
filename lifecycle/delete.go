package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"sandkeeper/internal/tracing"
)

// DeleteSandbox runs BeforeDelete in reverse order, the driver, then AfterDelete in reverse order. State that its
// extension cannot read stops it before anything is done. When the driver fails, the intent stays stored: a later
// delete or reconcile finishes it. A *ReleaseError means that the sandbox is gone.
func (w *wrapped) DeleteSandbox(ctx context.Context, sandbox Reference) (err error) {
	op, release, err := w.chain.beginDelete(sandbox)
	if err != nil {
		return err
	}
	defer release()
	ctx, span := tracing.Start(tracing.Identified(ctx), "delete_sandbox", attributes(op.entry.Reference)...)
	defer func() { tracing.End(span, err) }()
	if op.entry.Status == StatusDeleted {
		return op.deleteAgain(op.resumed(ctx), w.Driver, sandbox)
	}
	before := op.entry.Status
	ctx = op.correlated(ctx)
	if err := op.beginQuiesced(ctx); err != nil {
		return errors.Join(err, op.abort(before))
	}
	if err := w.Driver.DeleteSandbox(ctx, sandbox); err != nil {
		op.audit(ctx, ActivityRemove, "sandbox was not deleted", err)
		return err
	}
	return op.deleted(cleanup(ctx))
}

// deleteAgain finishes a deletion whose sandbox was gone already, for the extensions that still hold something.
func (o *operation) deleteAgain(ctx context.Context, d Driver, sandbox Reference) error {
	if err := d.DeleteSandbox(ctx, sandbox); err != nil {
		return err
	}
	return o.settleDeleted(cleanup(ctx))
}

// beginDelete claims the sandbox and loads what is stored, or begins a record for a sandbox that was created before
// there were extensions.
func (c *Chain) beginDelete(sandbox Reference) (*operation, func(), error) {
	known, _, err := c.find(sandbox)
	if err != nil {
		return nil, nil, err
	}
	if sandbox.ID == "" {
		sandbox.ID = cmp.Or(known.ID, provisional+hexID(8))
	}
	if err := checkID(sandbox.ID); err != nil {
		return nil, nil, err
	}
	release, err := c.busy.take(sandbox)
	if err != nil {
		return nil, nil, err
	}
	e, found, err := c.store.get(sandbox.ID)
	if !found {
		e.Reference = sandbox
	}
	if err := errors.Join(err, c.recognised(e)); err != nil {
		release()
		return nil, nil, err
	}
	return c.operate(e), release, nil
}

func (o *operation) quiesce(ctx context.Context) error {
	for _, link := range slices.Backward(o.chain.links) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := o.phase(ctx, link, BeforeDelete, func(e Extension) func(context.Context, Sandbox, *State) (*State, error) {
			return e.BeforeDelete
		})
		if err := errors.Join(err, o.save()); err != nil {
			return err
		}
	}
	return nil
}

// abort takes back the intent to delete: the sandbox stays. One that was not stored before is forgotten again.
func (o *operation) abort(before Status) error {
	if before == "" && len(o.entry.states) == 0 {
		return o.chain.store.remove(o.stored)
	}
	if before == "" {
		before = StatusReady
	}
	return o.enter(before)
}

// deleted records that the sandbox is gone and lets the extensions release what they hold. An extension that has state
// but is not active keeps it: only its own AfterDelete may end it.
func (o *operation) deleted(ctx context.Context) error {
	o.audit(ctx, ActivityRemove, "sandbox deleted", nil)
	if err := o.owe(); err != nil {
		return &ReleaseError{Sandbox: o.entry.Reference, Err: err}
	}
	return o.settleDeleted(ctx)
}

func (o *operation) settleDeleted(ctx context.Context) error {
	if err := o.settle(ctx, AfterDelete, letGo); err != nil {
		return &ReleaseError{Sandbox: o.entry.Reference, Err: err}
	}
	return nil
}

func letGo(e Extension) func(context.Context, Sandbox, *State) (*State, error) { return e.AfterDelete }

// owe makes every active extension, and every other one with state, owe its AfterDelete.
func (o *operation) owe() error {
	o.entry.Owed = o.chain.names()
	for name := range o.entry.states {
		if !slices.Contains(o.entry.Owed, name) {
			o.entry.Owed = append(o.entry.Owed, name)
		}
	}

	slices.Sort(o.entry.Owed[len(o.chain.names()):])
	return o.enter(StatusDeleted)
}
