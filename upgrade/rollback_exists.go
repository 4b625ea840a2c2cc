package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"sandkeeper/internal/text"
)

// stillWhole reports whether the old sandbox was never deleted. As long as nobody was about to ask for that, nobody
// need be asked.
func (j *job) stillWhole(ctx context.Context) (bool, error) {
	if !j.DeleteRequested {
		return true, nil
	}
	if j.RollingBack() && j.Step != StepRollingBack {
		return false, nil
	}
	until := time.Now().Add(j.patience().SettleTime())
	for {
		exists, err := j.oldExists(ctx)
		if err != nil || !exists || !time.Now().Before(until) { // a deletion whose answer was lost may come about late
			return exists, err
		}
		if err := j.patience().Pause(ctx); err != nil {
			return false, err
		}
	}
}

// oldExists looks once.
func (j *job) oldExists(ctx context.Context) (bool, error) {
	record, found, err := j.listed(ctx)
	if err != nil || !found || record.ID != j.OldID {
		return false, err
	}
	if record.Phase == "Deleting" {
		return false, fmt.Errorf("gateway %q is deleting sandbox %q still", j.Gateway, j.Address())
	}
	_, there, err := j.oldContainer(ctx)
	return there, err
}

// withdraw leaves the old sandbox as it was found: nothing was deleted.
func (j *job) withdraw(ctx context.Context) Outcome {
	if err := j.strike(ctx); err != nil {
		return j.stuck(ctx, err)
	}
	if !j.resumed && slices.Contains([]Step{StepPlanned, StepPreconditions, StepRehearsing}, j.FailedAt) {
		j.RollbackImage = "" // there never was one
		return j.forget(j.outcome(Failed, j.FailedAt, j.Reason+"; nothing was touched"))
	}
	j.enterAnyway(StepRollingBack, "nothing was deleted")
	err := j.startOld(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return j.lost(ctx, err)
	}
	if err == nil {
		err = j.awaitOld(ctx)
	}
	if err != nil {
		return j.stuck(ctx, err)
	}
	if err := j.Engine.RemoveImage(ctx, j.RollbackImage); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.warn(fmt.Sprintf("its rollback image %s could not be removed: %v", j.RollbackImage, err))
	} else {
		j.RollbackImage = ""
	}

	return j.forget(j.outcome(Failed, j.FailedAt, j.Reason+"; nothing was deleted, it is as it was"))
}

// startOld starts the old sandbox, if it ran. A stop that was asked for and not waited for is waited for first: else it
// would come after the start.
func (j *job) startOld(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	switch {
	case err != nil:
		return err
	case !there:
		return text.As(fs.ErrNotExist, "container %q of sandbox %q is gone, and this upgrade has not removed it", j.ContainerName, j.Address())
	case !j.Running:
		return nil
	case j.resumed && c.Running() && j.FailedAt == StepStopping:
		if err := j.halt(ctx, j.OldID, c); err != nil {
			j.warn(fmt.Sprintf("whether it stays running is not known: %v", err))
			break
		}
		c.State = "exited"
	}
	return j.rouse(ctx, j.OldID, c)
}
