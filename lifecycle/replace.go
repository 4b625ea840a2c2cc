package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/internal/tracing"
)

// Aftermath is what a look at the gateway showed after somebody has replaced a sandbox, or has tried to.
type Aftermath struct {
	// Old says whether the old sandbox is listed. Unknown leaves everything to the next reconcile.
	Old Presence
	// New is the sandbox that took its place; the zero record when none did.
	New Record
}

// ErrNotApplied is wrapped by the error for an extension that adds to a sandbox which somebody else creates: the
// addition would be lost.
var ErrNotApplied = errors.New("it would not be applied")

// Replace surrounds work, in which somebody who asks no driver deletes the sandbox old and creates another under its
// name, as NemoClaw's rebuild does. First come BeforeCreate for the new one and BeforeDelete for the old one; then
// work; then, by what it saw, AfterDelete and AfterCreateSuccess, or what takes both back. Since nothing can be added
// to what somebody else creates, an extension that adds something to request stops it before work, and its error wraps
// ErrNotApplied. An error says that work was not begun or has failed; problems are those of extensions afterwards,
// which change nothing about the sandboxes.
func (c *Chain) Replace(ctx context.Context, old Reference, request Request, work func(context.Context) (Aftermath, error)) (problems []error, err error) {
	ctx, span := tracing.Start(tracing.Identified(ctx), "replace_sandbox", attributes(old)...)
	defer func() { tracing.End(span, err) }()
	fresh, err := c.foresee(ctx, request)
	if err != nil {
		return nil, err
	}
	gone, release, err := c.beginDelete(old)
	if err != nil {
		return nil, errors.Join(err, fresh.withdraw(ctx, err))
	}
	defer release()
	before := gone.entry.Status
	ctx = gone.correlated(ctx)
	if before != StatusDeleted { // else it is gone, and only its release is owed
		if err := gone.beginQuiesced(ctx); err != nil {
			return nil, errors.Join(err, gone.abort(before), fresh.withdraw(ctx, err))
		}
	}

	after, err := work(ctx)
	return replaced(cleanup(ctx), gone, fresh, before, after), err
}

// Foresee says whether Replace would be refused: it runs BeforeCreate of every extension, and takes it back.
func (c *Chain) Foresee(ctx context.Context, request Request) error {
	fresh, err := c.foresee(tracing.Identified(ctx), request)
	if err != nil {
		return err
	}
	return fresh.withdraw(ctx, errForeseen)
}

// What is audited as the cause when a creation that was prepared did not come about.
var (
	errForeseen    = errors.New("it was only asked whether it could be")
	errNotReplaced = errors.New("no sandbox took the place of the old one")
)

// Knows reports whether the store has the sandbox with this id.
func (c *Chain) Knows(id string) (bool, error) {
	if c.store == nil {
		return false, nil
	}
	_, found, err := c.store.get(id)
	return found, err
}

// foreseen is the creation of a sandbox by somebody else, prepared; the zero value where no extension is active.
type foreseen struct{ *operation }

// foresee runs BeforeCreate of every extension on a sandbox that somebody else will create.
func (c *Chain) foresee(ctx context.Context, request Request) (foreseen, error) {
	if len(c.links) == 0 {
		return foreseen{}, nil
	}
	sandbox := Reference{ID: provisional + hexID(8), Name: request.Name, Gateway: request.Gateway}
	release, err := c.busy.take(sandbox)
	if err != nil {
		return foreseen{}, err
	}
	defer release() // nobody else can know this id
	ctx, op, err := c.beginCreate(ctx, sandbox)
	if err != nil {
		return foreseen{}, err
	}
	if _, err = op.prepare(ctx, request.clone()); err == nil {
		err = op.additionless()
	}
	if err != nil {
		return foreseen{}, op.rollBack(cleanup(ctx), err)
	}
	return foreseen{op}, nil
}

// additionless refuses what extensions asked for, by the name of each.
func (o *operation) additionless() error {
	var errs []error
	for _, a := range o.entry.Additions {
		errs = append(errs, fmt.Errorf("extension %q adds %s %q to sandbox %q, which is created by somebody else: %w",
			a.Extension, a.Kind, a.Key, o.entry.label(), ErrNotApplied))
	}
	return errors.Join(errs...)
}

// withdraw takes the prepared creation back.
func (f foreseen) withdraw(ctx context.Context, cause error) error {
	if f.operation == nil {
		return nil
	}
	return f.undo(cleanup(ctx), f.entry.Chain[:f.entry.Prepared], cause)
}

// beginQuiesced stores the intent to delete, and runs BeforeDelete.
func (o *operation) beginQuiesced(ctx context.Context) error {
	if err := o.enter(StatusDeleting); err != nil {
		return err
	}
	o.began(ctx, "delete", "sandbox deletion began")
	return o.quiesce(ctx)
}

// replaced ends both operations by what is there now.
func replaced(ctx context.Context, gone *operation, fresh foreseen, before Status, after Aftermath) (problems []error) {
	switch after.Old {
	case PresenceUnknown: // the intents are stored, and the next reconcile looks
		return nil
	case Listed:
		return told(gone.abort(before), fresh.withdraw(ctx, errNotReplaced))
	}

	released := gone.deleted(ctx)
	if after.New.ID == "" {
		return told(released, fresh.withdraw(ctx, errNotReplaced))
	}
	if fresh.operation == nil {
		return told(released)
	}
	return told(released, fresh.created(ctx, after.New))
}

func told(errs ...error) (problems []error) {
	for _, err := range errs {
		if err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}
