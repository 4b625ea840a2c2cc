package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/engine"
)

// keepNew backs up the new sandbox before the way back deletes it, when somebody may have worked in it: the run that
// made it has ended, so that it ran unwatched, or was made by hand where nothing was; or its home had come back, and it
// was started since. It is stopped for that. What cannot be saved is not deleted.
func (j *job) keepNew(ctx context.Context, id string) error {
	if id == j.OldID || !j.resumed && !j.reached(j.homeRestoredAt(), j.FailedAt) {
		return nil
	}
	c, err := j.containerOf(ctx, id)
	if err == nil {
		c, err = j.Engine.Inspect(ctx, c.ID) // a listing does not say when it was started
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !j.resumed && (j.filled.IsZero() || c.Started.Equal(j.filled)) {
		return nil
	}
	saved, err := j.saveNew(ctx, id, c)
	if err != nil {
		return fmt.Errorf("what was done in the new sandbox since could not be saved, so it is not deleted: %w", err)
	}
	j.resumed, j.filled = false, c.Started
	j.warn(fmt.Sprintf("the home of the new sandbox, as it was when it was deleted, is in backup %s", saved.ID))
	return nil
}

// saveNew has it run again when it could not be saved. A backup takes the store itself. Before the old home was in the
// sandbox, its backup is labelled as what was replaced: it must not pass for the sandbox's newest state.
func (j *job) saveNew(ctx context.Context, id string, c engine.Container) (Saved, error) {
	if err := j.close(); err != nil {
		return Saved{}, err
	}
	ran := c.Running()
	if ran {
		if err := j.halt(ctx, id, c); err != nil {
			return Saved{}, err
		}
		c.State = "exited"
	}

	save := j.Content.SaveReplaced
	if j.reached(j.homeRestoredAt(), j.FailedAt) {
		save = j.Content.Save
	}
	saved, err := save(ctx, j.sandbox(id, c))
	if err != nil && ran {
		err = errors.Join(err, j.rouse(context.WithoutCancel(ctx), id, c))
	}
	return saved, err
}

// homeRestoredAt is the step of e's way from which on the new sandbox has the old one's home.
func (e *Entry) homeRestoredAt() Step {
	if e.Way == ByNemoClaw {
		return StepRebuilt
	}
	return StepRestored
}
