package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandkeeper/internal/tracing"
)

// provisional begins the id under which a sandbox is kept until its gateway has given it one.
const provisional = "pending-"

// CreateSandbox runs BeforeCreate in declared order, the driver, then AfterCreateSuccess in reverse; or
// AfterCreateFailed in reverse for what ran. A record beside an error: the sandbox exists, but an extension, or the
// store, failed afterwards.
func (w *wrapped) CreateSandbox(ctx context.Context, request Request) (record Record, err error) {
	c := w.chain
	if len(c.links) == 0 {
		return w.Driver.CreateSandbox(ctx, request)
	}
	id := request.ID
	if id == "" {
		id = provisional + hexID(8)
	}
	sandbox := Reference{ID: id, Name: request.Name, Gateway: request.Gateway}
	release, err := c.busy.take(sandbox)
	if err != nil {
		return Record{}, err
	}
	defer release()
	ctx, span := tracing.Start(tracing.Identified(ctx), "create_sandbox", attributes(sandbox)...)
	defer func() { tracing.End(span, err) }()
	ctx, op, err := c.beginCreate(ctx, sandbox)
	if err != nil {
		return Record{}, err
	}
	request, err = op.prepare(ctx, request.clone())
	if err != nil {
		return Record{}, op.rollBack(cleanup(ctx), err)
	}
	record, err = w.Driver.CreateSandbox(ctx, request)
	if err != nil && record.ID == "" {
		return record, op.rollBack(cleanup(ctx), err)
	}
	return record, errors.Join(err, op.created(cleanup(ctx), record))
}

// beginCreate stores the intent to create, and tells the audit of it. What comes of it carries the same correlation.
func (c *Chain) beginCreate(ctx context.Context, sandbox Reference) (context.Context, *operation, error) {
	if err := checkID(sandbox.ID); err != nil {
		return ctx, nil, err
	}
	known, found, err := c.store.get(sandbox.ID)
	if err != nil {
		return ctx, nil, err
	}
	if found {
		return ctx, nil, fmt.Errorf("sandbox %q: id %q is already recorded as %s; run `sandkeeper extensions reconcile`",
			sandbox.label(), sandbox.ID, known.Status)
	}
	op := c.operate(entry{Tracked: Tracked{Reference: sandbox, Chain: c.names()}})
	ctx = op.correlated(ctx)
	if err := op.enter(StatusCreating); err != nil {
		return ctx, nil, err
	}
	op.began(ctx, "create", "sandbox creation began")
	return ctx, op, nil
}

// prepare runs BeforeCreate of every link and returns the request with what they added.
func (o *operation) prepare(ctx context.Context, request Request) (Request, error) {
	for _, link := range o.chain.links {
		if err := ctx.Err(); err != nil {
			return request, context.Cause(ctx)
		}
		next, err := o.prepareOne(ctx, link, request)
		if err != nil {
			return request, err
		}
		request = next
	}
	return request, nil
}

func (o *operation) prepareOne(ctx context.Context, link Link, request Request) (Request, error) {
	builder, sandbox := newBuilder(link.Name, request, o.entry.Additions), o.sandbox()
	got, err := o.chain.run(ctx, call{link: link, phase: BeforeCreate, sandbox: sandbox, do: func(ctx context.Context) (phaseAnswer, error) {
		state, err := link.Extension.BeforeCreate(ctx, sandbox, builder)
		return phaseAnswer{state: state}, err
	}})
	next, added := builder.seal()
	if failed, ok := errors.AsType[*PhaseError](err); ok && !failed.CutOff {
		return request, err
	}
	if err := errors.Join(err, o.keep(link, BeforeCreate, got.state)); err != nil {
		return request, err
	}
	o.entry.Prepared++
	o.entry.Additions = append(o.entry.Additions, added...)
	return next, o.save()
}

// rollBack undoes a creation that failed with cause, and returns the cause with whatever could not be undone.
func (o *operation) rollBack(ctx context.Context, cause error) error {
	owed := o.entry.Chain[:o.entry.Prepared]
	if failed, ok := errors.AsType[*PhaseError](cause); ok && failed.Phase == BeforeCreate && failed.CutOff {
		owed = o.entry.begun()
	}
	return errors.Join(cause, o.undo(ctx, owed, cause))
}

// undo lets the extensions that owe it take their work back.
func (o *operation) undo(ctx context.Context, owed []string, cause error) error {
	o.audit(ctx, ActivityInstall, "sandbox was not created", cause)
	o.entry.Owed = slices.Clone(owed)
	return errors.Join(o.enter(StatusRollingBack), o.settle(ctx, AfterCreateFailed, takeBack))
}

func takeBack(e Extension) func(context.Context, Sandbox, *State) (*State, error) {
	return e.AfterCreateFailed
}

// created moves everything under the gateway's id in one transaction, then tells the extensions.
func (o *operation) created(ctx context.Context, record Record) error {
	if record.ID != "" {
		o.entry.ID = record.ID
	}
	o.audit(ctx, ActivityInstall, "sandbox created", nil)
	o.entry.Owed = slices.Clone(o.entry.Chain)
	return errors.Join(o.enter(StatusReady), o.confirm(ctx))
}

// began audits an intent: OCSF's own activities (Install, Remove) are for what came of it.
func (o *operation) began(ctx context.Context, name, message string) {
	o.chain.record(ctx, Event{
		Activity: ActivityOther, Name: name, Severity: SeverityInformational, Sandbox: o.entry.Reference, Message: message,
	})
}

func (o *operation) audit(ctx context.Context, activity Activity, message string, failure error) {
	event := Event{Activity: activity, Severity: SeverityInformational, Sandbox: o.entry.Reference, Message: message, Failure: failure}
	if failure != nil {
		event.Severity = SeverityMedium
	}
	o.chain.record(ctx, event)
}
