package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// keepNew backs up the new sandbox before the way back deletes it, when somebody may have worked in it: an earlier run had brought its
// home back, and ended. What cannot be saved is not deleted.
func (j *job) keepNew(ctx context.Context, id string) error {
	if !j.resumed || id == j.OldID || !j.reached(j.lives(), j.FailedAt) {
		return nil
	}
	c, err := j.containerOf(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	saved, err := j.Content.Save(ctx, j.sandbox(id, c))
	if err != nil {
		return fmt.Errorf("what was done in the new sandbox since could not be saved, so it is not deleted: %w", err)
	}
	j.resumed = false
	j.warn(fmt.Sprintf("the home of the new sandbox, as it was when it was deleted, is in backup %s", saved.ID))
	return nil
}

// lives is the step of e's way from which on the new sandbox has the old one's home.
func (e *Entry) lives() Step {
	if e.Way == ByNemoClaw {
		return StepRebuilt
	}
	return StepRestored
}
