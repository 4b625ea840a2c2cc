package upgrade

import (
	"context"
	"fmt"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// condition looks once: nil when the new sandbox is Ready and its container runs.
func (j *job) condition(ctx context.Context) error { return j.readyAs(ctx, j.NewID) }

// readyAs looks once: nil when the sandbox is listed under that id, is Ready, and its container runs.
func (j *job) readyAs(ctx context.Context, id string) error {
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return err
	case !found:
		return &driver.NotReadyError{Name: j.Address(), Detail: "its gateway does not list it"}
	case record.ID != id:
		return &driver.NotReadyError{Name: j.Address(), Detail: fmt.Sprintf("its gateway lists id %s, not %s", record.ID, id)}
	case !openshell.PhaseReady(record.Phase):
		return &driver.NotReadyError{Name: j.Address(), Phase: record.Phase, Detail: record.Reason}
	}

	c, err := j.containerOf(ctx, id)
	if err == nil && !c.Running() {
		return &driver.NotReadyError{Name: j.Address(), Detail: fmt.Sprintf("its container %q is %s", c.Name, c.State)}
	}
	return err
}

// waitReady waits for a sandbox that was just created: after Error it will not get better.
func (j *job) waitReady(ctx context.Context) error {
	return j.patience().Await(ctx, j.condition, "Error")
}

// awaitReady waits for a sandbox that was just started.
func (j *job) awaitReady(ctx context.Context) error {
	return j.patience().Await(ctx, j.condition, "")
}

// awaitOld waits for the old sandbox, after it was started again. One that was not Ready before is not waited for.
func (j *job) awaitOld(ctx context.Context) error {
	if !j.Running || !j.WasReady {
		return nil
	}
	return j.patience().Await(ctx, func(ctx context.Context) error { return j.readyAs(ctx, j.OldID) }, "")
}

// settle watches the sandbox for the settle time.
func (j *job) settle(ctx context.Context) error { return j.patience().Stays(ctx, j.condition) }

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
	if err := j.awaitReady(ctx); err != nil {
		return err
	}
	j.giveBack(ctx)
	return j.settle(ctx)
}
