package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// pairs asks every extension that was in the chain of the sandbox, or has state for it, to reconcile.
func (r *reconciling) pairs(ctx context.Context) {
	names := slices.AppendSeq(slices.Clone(r.entry.Chain), maps.Keys(r.entry.states))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if ctx.Err() != nil {
			r.report(name, ReconcileReport{Err: context.Cause(ctx)})
			continue
		}
		r.pair(ctx, name)
	}
}

func (r *reconciling) pair(ctx context.Context, name string) {
	link, active := r.chain.link(name)
	stored, has := r.entry.states[name]
	switch {
	case !active && has:
		r.drifted(ctx, name, ReconcileReport{Drift: []string{"it is not active, and its state is kept until it is, or is cleared"}})
	case !active:
	case has && !slices.Contains(link.Reads, stored.SchemaVersion):
		r.report(name, ReconcileReport{Err: &SchemaError{Sandbox: r.entry.Reference, Extension: name, Version: stored.SchemaVersion, Reads: link.Reads}})
	default:
		r.ask(ctx, link)
	}
}

func (r *reconciling) ask(ctx context.Context, link Link) {
	sandbox, state := r.sandbox(), r.state(link.Name)
	got, err := r.chain.run(ctx, call{link: link, phase: Reconcile, sandbox: sandbox, do: func(ctx context.Context) (phaseAnswer, error) {
		outcome, err := link.Extension.Reconcile(ctx, sandbox, state)
		return phaseAnswer{outcome: outcome}, err
	}})
	outcome := got.outcome
	found := ReconcileReport{Authority: outcome.Authority, Drift: outcome.Drift, Err: err}
	switch {
	case err != nil:
	case outcome.Authority == Advisory:
	case outcome.Authority != Authoritative:
		found.Err = fmt.Errorf("extension %q: reconcile of sandbox %q has unknown authority %q: nothing was changed", link.Name, sandbox.label(), outcome.Authority)
	default:
		found.Action, found.Err = r.obey(ctx, link, outcome)
	}

	r.drifted(ctx, link.Name, found)
}

// obey stores what an authoritative outcome says, and releases what belongs to a sandbox that is gone.
func (r *reconciling) obey(ctx context.Context, link Link, outcome ReconcileOutcome) (action string, err error) {
	if outcome.State != nil {
		if err := r.keep(link, Reconcile, outcome.State); err != nil {
			return "", err
		}
		if err := r.save(); err != nil {
			return "", err
		}
		action = "stored its new state"
	}

	if r.presence != Missing {
		return action, nil
	}
	if err := r.phase(cleanup(ctx), link, AfterDelete, letGo); err != nil {
		return action, err
	}
	return "released what belonged to it", r.forget(link.Name)
}

// forget drops one extension from a sandbox that is gone, and the sandbox with the last.
func (r *reconciling) forget(name string) error {
	delete(r.entry.states, name)
	r.paid(name)
	r.entry.Chain = slices.DeleteFunc(slices.Clone(r.entry.Chain), func(n string) bool { return n == name })
	if len(r.entry.Chain) > 0 || len(r.entry.states) > 0 {
		return r.save()
	}
	return r.chain.store.remove(r.stored)
}
