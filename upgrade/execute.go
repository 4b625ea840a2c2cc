package upgrade

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"

	"sandkeeper/internal/crash"
	"sandkeeper/internal/tracing"
)

// Execute moves the sandboxes of a plan, one after the other: new ones from the beginning, unfinished ones from where
// they are. One that fails costs only itself. What a killed run left is decided by looking, never by the journal alone.
func (u *Upgrader) Execute(ctx context.Context, entries []*Entry) []Outcome {
	return u.each(ctx, entries, (*job).forward)
}

// RollBack brings the old sandboxes of unfinished upgrades back.
func (u *Upgrader) RollBack(ctx context.Context, entries []*Entry) []Outcome {
	return u.each(ctx, entries, (*job).backward)
}

func (u *Upgrader) each(ctx context.Context, entries []*Entry, do func(*job, context.Context) Outcome) []Outcome {
	outcomes := make([]Outcome, 0, len(entries))
	for _, e := range entries {
		outcomes = append(outcomes, u.one(ctx, e, do))
	}
	return outcomes
}

// one is a single sandbox's turn. A panic in it is that sandbox's failure, and its journal stays.
func (u *Upgrader) one(ctx context.Context, e *Entry, do func(*job, context.Context) Outcome) (o Outcome) {
	j := &job{Upgrader: u, Entry: e, resumed: !e.Updated.IsZero()}
	ctx, span := tracing.Start(ctx, "upgrade_sandbox", attribute.String("openshell.sandbox.name", e.Name))
	defer span.End()
	defer func() {
		if trouble := recover(); trouble != nil {
			o = j.outcome(Failed, e.Step, fmt.Sprintf("internal error: %v (%s); %s", trouble, crash.Site(debug.Stack()), j.commands()))
			o.Unfinished = true
		}
		if err := j.close(); err != nil {
			o.Warnings = append(o.Warnings, err.Error())
		}
	}()
	if err := context.Cause(ctx); err != nil {
		o = j.outcome(Failed, e.Step, fmt.Sprintf("interrupted before its turn: %v", err))
		o.Unfinished = !e.Updated.IsZero()
		return o
	}

	if err := j.reach(ctx); err != nil {
		o = j.outcome(Failed, e.Step, err.Error())
		o.Unfinished = !e.Updated.IsZero()
		return o
	}

	if err := j.atWork(); err != nil {
		return j.stuck(ctx, err)
	}
	if ended := j.handMade(ctx); ended != nil {
		return *ended
	}
	return do(j, ctx)
}

// reach makes sure of the sandbox's gateway and of its engine, before anything is concluded from what they do not have.
func (j *job) reach(ctx context.Context) (err error) {
	if j.driver, err = j.Upgrader.driver(ctx, j.place()); err != nil {
		return err
	}
	return j.onItsEngine(ctx)
}

// onItsEngine refuses to work with another engine than the one that has the sandbox's containers and images: there,
// all of them would seem to be gone.
func (j *job) onItsEngine(ctx context.Context) error {
	identity, err := j.Engine.Identity(ctx)
	if err != nil || j.EngineID == "" || identity == j.EngineID {
		return err
	}
	return fmt.Errorf("container %q is on the container engine %q, which answered at %s, and this run works with %q: nothing was done; start that engine, or name its address in DOCKER_HOST, and run this command again",
		j.ContainerName, j.EngineID, j.EngineHost, identity)
}

func (j *job) commands() string {
	return fmt.Sprintf("to go on: `%s`; to go back: `%s`", j.invocation("--resume"), j.invocation("--rollback"))
}

// forward takes a sandbox to its new image, or, when that fails, back.
func (j *job) forward(ctx context.Context) Outcome {
	if j.RollingBack() {
		return j.undo(ctx, j.FailedAt, errors.New(j.Reason))
	}
	if j.Updated.IsZero() {
		if err := j.Journal.Begin(j.Entry); err != nil {
			return j.outcome(Failed, StepPlanned, err.Error())
		}
		j.tell(j.Address(), StepPlanned, "")
	}

	if err := j.strike(ctx); err != nil {
		return j.stuck(ctx, err)
	}
	moves, err := j.ahead(ctx)
	if err != nil {
		return j.stuck(ctx, err)
	}
	at, err := j.advance(ctx, moves)
	incomplete, kept := errors.AsType[*IncompleteError](err)
	switch {
	case err == nil:
		return j.forget(j.outcome(Upgraded, StepDone, ""))
	case j.reached(StepFinishing, at):
		// It is upgraded; only the journal could not be told.
		o := j.outcome(Failed, at, err.Error()+"; it is upgraded, and "+j.commands())
		o.Unfinished = true
		return o
	case kept:
		j.Reason = incomplete.Error()
		return j.stuck(ctx, incomplete)
	}

	return j.undo(ctx, at, err)
}

// ahead are the moves that are left to make. What a run that ended early has saved may be older than what the sandbox
// holds by now: as long as the old one is whole, everything is made again.
func (j *job) ahead(ctx context.Context) ([]move, error) {
	whole, err := !j.reached(j.destroys(), j.Step), error(nil)
	if j.Step == j.destroys() {
		whole, err = j.stillWhole(ctx)
	}
	if err != nil {
		return nil, err
	}
	if again, err := j.madeAgain(ctx); again || err != nil {
		return from(j.way(), StepCreating), err
	}
	if !whole {
		return from(j.way(), j.Step), nil
	}
	return j.way(), nil
}

// backward gives an unfinished upgrade up. One that has only its rollback image left to drop is finished instead: there
// the old sandbox may be gone for good, and the new one has everything.
func (j *job) backward(ctx context.Context) Outcome {
	switch {
	case j.RollingBack():
		return j.asAsked(ctx, j.undo(ctx, j.FailedAt, errors.New(j.Reason)))
	case j.reached(StepFinishing, j.Step):
		return j.forward(ctx)
	}
	return j.asAsked(ctx, j.undo(ctx, j.Step, errors.New("rolled back as asked")))
}

// asAsked makes the outcome of a withdrawal what it was meant to be: going back was the task. Where the old sandbox is
// gone it is no success.
func (j *job) asAsked(ctx context.Context, o Outcome) Outcome {
	if _, there, err := j.oldContainer(ctx); o.Outcome == Failed && !o.Unfinished && there && err == nil {
		o.Outcome = RolledBack
	}
	return o
}
