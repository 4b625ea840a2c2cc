package lifecycle

import (
	"context"
	"errors"
	"slices"
	"sync"

	"sandkeeper/internal/tracing"
)

// reconcileJobs is how many sandboxes are reconciled at once; the order among them is free.
const reconcileJobs = 8

// ReconcileReport is what a reconcile found, and did, for one stored (sandbox, extension) pair. Extension is "" where
// the finding is about the sandbox itself.
type ReconcileReport struct {
	Sandbox   Reference `json:"sandbox"`
	Extension string    `json:"extension,omitempty"`
	Status    Status    `json:"status"`
	Presence  Presence  `json:"presence,omitempty"`
	// Action says what was done, in words; "" when nothing was.
	Action string `json:"action,omitempty"`
	// Authority is "" (advisory) or "authoritative".
	Authority Authority `json:"authority,omitempty"`
	// Drift names what differs; empty when nothing does.
	Drift []string `json:"drift,omitempty"`
	// Error is Err as text.
	Error string `json:"error,omitempty"`
	Err   error  `json:"-"`
}

// Reconcile goes over everything that is stored: it finishes or undoes what a killed run left in flight, and asks each
// extension whether its sandboxes are as its state says. drivers are the gateways that may be asked, by name; where a
// gateway is not among them or its listing fails, its sandboxes are of unknown presence, and what depends on it waits.
// The error is about the store itself; everything else is in the reports, sorted by sandbox and extension.
func (c *Chain) Reconcile(ctx context.Context, drivers map[string]Driver) (reports []ReconcileReport, err error) {
	if c.store == nil {
		return nil, nil
	}
	ctx, span := tracing.Start(tracing.Identified(ctx), "reconcile")
	defer func() { tracing.End(span, err) }()
	entries, err := c.store.all()
	if err != nil {
		return nil, err
	}
	seen := look(ctx, entries, drivers)
	results := make([][]ReconcileReport, len(entries))
	slots := make(chan struct{}, reconcileJobs)
	var wait sync.WaitGroup
	for i, e := range entries {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			results[i] = c.reconcileOne(ctx, e, seen)
		})
	}

	wait.Wait()
	return slices.Concat(results...), nil
}

func (c *Chain) reconcileOne(ctx context.Context, e entry, seen sightings) []ReconcileReport {
	r := &reconciling{operation: c.operate(e)}
	release, err := c.busy.take(e.Reference)
	if err != nil {
		r.report("", ReconcileReport{Err: err})
		return r.reports
	}
	defer release()
	fresh, found, err := c.store.get(e.ID)
	if err != nil || !found {
		r.report("", ReconcileReport{Err: err})
		return r.reports
	}
	r.operation = c.operate(fresh)
	r.listed, r.presence, err = seen.find(fresh)
	if err != nil {
		r.report("", ReconcileReport{Err: err})
	}
	if r.finish(r.resumed(ctx)) {
		r.pairs(ctx)
	}
	return r.reports
}

// errKilled is the audited cause when a creation was interrupted by the death of its process.
var errKilled = errors.New("its creation was interrupted before its gateway had it")

// reconciling is the reconcile of one sandbox.
type reconciling struct {
	*operation
	reports []ReconcileReport
}

// report adds one finding and, where it is bad news, audits it.
func (r *reconciling) report(extension string, found ReconcileReport) {
	found.Sandbox, found.Extension, found.Status, found.Presence = r.entry.Reference, extension, r.entry.Status, r.presence
	if found.Err != nil {
		found.Error = found.Err.Error()
	}
	r.reports = append(r.reports, found)
}

// finish completes what was in flight. It returns whether the sandbox is still there to be reconciled.
func (r *reconciling) finish(ctx context.Context) bool {
	clean := cleanup(ctx)
	if len(r.entry.Quiesced) > 0 {
		r.backedUp(clean)
	}
	switch status := r.entry.Status; {
	case status == "": // it was only ever backed up
		return false
	case status == StatusReady:
		return r.ready(clean)
	case status == StatusRollingBack:
		r.acted("rolled back the creation", r.settle(clean, AfterCreateFailed, takeBack))
	case status == StatusDeleted:
		r.acted("finished the deletion", r.settleDeleted(clean))
	case r.presence == PresenceUnknown:
		r.report("", ReconcileReport{Drift: []string{"the " + r.entry.inFlight() + " of it was interrupted, and whether its gateway has it is unknown: left as it is"}})
	case status == StatusCreating && r.presence == Listed:
		r.acted("finished the creation", r.created(clean, r.listed))
		return true
	case status == StatusCreating:
		r.acted("rolled back the creation", r.undo(clean, r.entry.begun(), errKilled))
	case status == StatusDeleting && r.presence == Listed:
		r.report("", ReconcileReport{Drift: []string{"its deletion was interrupted, and its gateway still lists it: delete it again"}})
		return true
	case status == StatusDeleting:
		r.acted("finished the deletion", r.deleted(clean))
	}
	return false
}

// backedUp ends a backup that was interrupted, where a command can be run in the sandbox for it.
func (r *reconciling) backedUp(ctx context.Context) {
	if r.chain.inside == nil && r.presence != Missing {
		r.report("", ReconcileReport{Drift: []string{"a backup of it was interrupted: the next backup-all ends it"}})
		return
	}
	r.acted("ended the backup that was interrupted", r.endBackup(ctx))
}

// ready finishes the AfterCreateSuccess that are owed, and reports a sandbox that vanished.
func (r *reconciling) ready(ctx context.Context) bool {
	if len(r.entry.Owed) > 0 {
		r.acted("finished the creation", r.confirm(ctx))
	}
	if r.presence == Missing {
		r.drifted(ctx, "", ReconcileReport{Drift: []string{"its gateway does not list it"}})
	}
	return true
}

func (r *reconciling) acted(what string, err error) {
	r.report("", ReconcileReport{Action: what, Err: err})
}

// drifted reports a finding and audits it when there is drift.
func (r *reconciling) drifted(ctx context.Context, extension string, found ReconcileReport) {
	r.report(extension, found)
	for _, drift := range found.Drift {
		r.chain.record(ctx, Event{
			Activity: ActivityOther, Name: string(Reconcile), Severity: SeverityMedium,
			Sandbox: r.entry.Reference, Extension: extension, Message: drift,
		})
	}
}
