package upgrade

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/lifecycle"
)

// within runs NemoClaw's rebuild with the extensions around it. They cannot add to what NemoClaw creates: an addition
// is refused here, before the rebuild is started.
func (j *job) within(ctx context.Context, rebuild func(context.Context) error) error {
	if j.Chain == nil {
		return rebuild(ctx)
	}
	problems, err := j.Chain.Replace(ctx, j.reference(j.OldID), j.Request, func(ctx context.Context) (lifecycle.Aftermath, error) {
		err := rebuild(ctx)
		return j.aftermath(context.WithoutCancel(ctx)), err
	})
	for _, problem := range problems {
		j.warn(problem.Error())
	}
	return notByNemoClaw(err)
}

// foresee asks the extensions before anything is done whether they let NemoClaw rebuild the sandbox.
func (j *job) foresee(ctx context.Context) error {
	if j.Way != ByNemoClaw || j.Chain == nil {
		return nil
	}
	return notByNemoClaw(j.Chain.Foresee(ctx, j.Request))
}

// notByNemoClaw says what to do about an extension that adds something.
func notByNemoClaw(err error) error {
	if errors.Is(err, lifecycle.ErrNotApplied) {
		return fmt.Errorf("nemoclaw rebuilds it, and applies nothing that extensions add; leave those that are named out for this upgrade with %s: %w",
			lifecycle.OverrideVariable, err)
	}
	return err
}

// adopt tells the extensions of a sandbox that a rebuild has made which a killed run had started. Its intents are
// finished by a look; where a look came while the rebuild was at work there are none any more, and the replacement is
// told anew.
func (j *job) adopt(ctx context.Context, record lifecycle.Record) error {
	if j.Chain == nil {
		return nil
	}
	known, err := j.Chain.Knows(record.ID)
	if err == nil && !known {
		known, err = j.lookedAt(ctx, record.ID)
	}
	if err != nil || known {
		return err
	}
	problems, err := j.Chain.Replace(ctx, j.reference(j.OldID), j.Request, func(context.Context) (lifecycle.Aftermath, error) {
		return lifecycle.Aftermath{Old: lifecycle.Missing, New: record}, nil
	})
	for _, problem := range append(problems, err) {
		if problem != nil { // the sandbox has been replaced: that stands
			j.warn(problem.Error())
		}
	}

	return nil
}

// lookedAt reconciles the gateway's sandboxes, and reports whether the chain knows one afterwards.
func (j *job) lookedAt(ctx context.Context, id string) (known bool, err error) {
	lister, err := j.Lister(ctx, j.Gateway)
	if err != nil {
		return false, err
	}
	if _, err := j.Chain.Reconcile(ctx, map[string]lifecycle.Driver{j.Gateway: lister}); err != nil {
		return false, err
	}
	return j.Chain.Knows(id)
}

// aftermath is what there is after a rebuild.
func (j *job) aftermath(ctx context.Context) lifecycle.Aftermath {
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return lifecycle.Aftermath{}
	case !found:
		return lifecycle.Aftermath{Old: lifecycle.Missing}
	case record.ID == j.OldID:
		return lifecycle.Aftermath{Old: lifecycle.Listed}
	}
	return lifecycle.Aftermath{Old: lifecycle.Missing, New: record}
}
