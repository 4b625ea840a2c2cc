package upgrade

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// pause waits for the time between two looks.
func (j *job) pause(ctx context.Context) error {
	timer := time.NewTimer(orDefault(j.Poll, defaultPoll))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// NotReadyError says in which phase a sandbox was that should have been Ready.
type NotReadyError struct {
	Name, Phase string // Phase "" means that the gateway does not list it, or that its container does not run
	Detail      string
}

// Error names the phase.
func (e *NotReadyError) Error() string {
	if e.Phase == "" {
		return fmt.Sprintf("sandbox %q is not Ready: %s", e.Name, e.Detail)
	}
	said := fmt.Sprintf("sandbox %q is not Ready: its gateway says %q", e.Name, e.Phase)
	if e.Detail != "" {
		said += " (" + text.OneLine(e.Detail, 260) + ")"
	}
	return said
}

// condition looks once: nil when the new sandbox is Ready and its container runs.
func (j *job) condition(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return err
	case !found:
		return &NotReadyError{Name: j.Name, Detail: "its gateway does not list it"}
	case record.ID != j.NewID:
		return &NotReadyError{Name: j.Name, Detail: fmt.Sprintf("its gateway lists id %s, not %s", record.ID, j.NewID)}
	case !openshell.PhaseReady(record.Phase):
		return &NotReadyError{Name: j.Name, Phase: record.Phase, Detail: record.Reason}
	}
	c, err := j.containerOf(ctx, j.NewID)
	if err == nil && !c.Running() {
		return &NotReadyError{Name: j.Name, Detail: fmt.Sprintf("its container %q is %s", c.Name, c.State)}
	}
	return err
}

// waitReady waits for a sandbox that was just created: one that comes to Error will not get better.
func (j *job) waitReady(ctx context.Context) error { return j.awaitReady(ctx, "Error") }

// awaitReady waits until the sandbox is Ready, at most for the limit. It gives up at once in the phase hopeless.
func (j *job) awaitReady(ctx context.Context, hopeless string) error {
	limit := orDefault(j.ReadyLimit, DefaultReadyLimit)
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not Ready within %s", limit))
	defer cancel()
	var seen error
	for {
		err := j.condition(bounded)
		if err == nil {
			return nil
		}
		if seen == nil || bounded.Err() == nil { // a look that the limit cut short has seen nothing
			seen = err
		}
		if not, ok := errors.AsType[*NotReadyError](err); ok && hopeless != "" && not.Phase == hopeless {
			return err
		}
		if stopped := j.pause(bounded); stopped != nil {
			return fmt.Errorf("%w; at last: %w", stopped, seen)
		}
	}
}

// settle watches the sandbox for the settle time. A phase other than Ready ends it; a look that failed counts only when it is the
// last one.
func (j *job) settle(ctx context.Context) error {
	until := time.Now().Add(orDefault(j.Settle, DefaultSettle))
	for {
		last := !time.Now().Before(until) // a look that took long says how it was at its beginning
		err := j.condition(ctx)
		if not, ok := errors.AsType[*NotReadyError](err); ok {
			return fmt.Errorf("it was Ready and did not stay so: %w", not)
		}
		if last {
			return err
		}
		if err := j.pause(ctx); err != nil {
			return err
		}
	}
}

// newContainer is the container of what was created.
func (j *job) newContainer(ctx context.Context) (engine.Container, error) {
	return j.containerOf(ctx, j.NewID)
}

// leaveAsFound starts the sandbox and waits for it to be Ready again, or leaves it stopped, as it was before.
func (j *job) leaveAsFound(ctx context.Context) error {
	c, err := j.newContainer(ctx)
	switch {
	case err != nil:
		return err
	case !j.Running:
		j.giveBack(ctx)
		return j.halt(ctx, j.NewID, c)
	}
	if err := j.rouse(ctx, j.NewID, c); err != nil {
		return err
	}
	if err := j.awaitReady(ctx, ""); err != nil {
		return err
	}
	j.giveBack(ctx)
	return j.settle(ctx)
}
