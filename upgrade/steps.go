package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"sandkeeper/lifecycle"
)

// move is one stretch of the way: a step that is entered before its work, and one, or none, that says that the work is done. Work
// looks at what is there first and does only what is missing, so that any move can be made again after a crash.
type move struct {
	doing, done Step
	work        func(*job, context.Context) error
}

// way are the moves from an old sandbox to a new one.
func (e *Entry) way() []move {
	begin := move{doing: StepPreconditions, work: (*job).lookAgain}
	saving := []move{
		{StepBackingUp, StepBackedUp, (*job).save},
		{StepKeepingImage, StepImageKept, (*job).keepImage},
	}
	proving := []move{
		{StepWaiting, StepReady, (*job).waitReady},
		{StepSettling, StepSettled, (*job).settle},
	}
	finish := move{StepFinishing, StepDone, (*job).finish}
	if e.Way == ByNemoClaw {
		return slices.Concat([]move{begin}, saving, []move{{StepRebuilding, StepRebuilt, (*job).rebuild}}, proving,
			[]move{{StepComparing, StepCompared, (*job).compareState}, {StepStarting, StepStarted, (*job).leaveAsFound}, finish})
	}
	return slices.Concat([]move{begin, {StepStopping, StepStopped, (*job).stopOld}}, saving,
		[]move{{StepDeleting, StepDeleted, (*job).deleteOld}, {StepCreating, StepCreated, (*job).create}}, proving,
		[]move{{StepRestoring, StepRestored, (*job).restore}, {StepComparing, StepCompared, (*job).compare}},
		[]move{{StepStarting, StepStarted, (*job).leaveAsFound}, finish})
}

// from is the first move that is not known to be done.
func from(moves []move, step Step) []move {
	for i, m := range moves {
		switch step {
		case m.doing:
			return moves[i:]
		case m.done:
			return moves[i+1:]
		}
	}
	return moves
}

// advance makes the moves in turn, and says at which step it ended.
func (j *job) advance(ctx context.Context, moves []move) (Step, error) {
	for _, m := range moves {
		if ctx.Err() != nil {
			return m.doing, context.Cause(ctx)
		}
		if err := j.enter(m.doing, ""); err != nil {
			return m.doing, err
		}
		if err := m.work(j, ctx); err != nil {
			return m.doing, err
		}
		if m.done == "" {
			continue
		}
		if err := j.enter(m.done, ""); err != nil {
			return m.done, err
		}
	}
	return StepDone, nil
}

// lookAgain makes sure that the sandbox is still the one that was planned for.
func (j *job) lookAgain(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	if !found || record.ID != j.OldID {
		return fmt.Errorf("sandbox %q is no longer the one that was planned for (id %s)", j.Name, j.OldID)
	}
	c, there, err := j.oldContainer(ctx)
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("container %q of sandbox %q is gone", j.ContainerName, j.Name)
	case c.Paused():
		return fmt.Errorf("container %q is paused; run `docker unpause %s` first", c.Name, c.Name)
	}
	return j.imagePresent(ctx)
}

// imagePresent looks for the image of the new sandbox. One that only the gateway knows cannot be looked for.
func (j *job) imagePresent(ctx context.Context) error {
	if j.Image == "" || j.Way == ByNemoClaw {
		return nil
	}
	_, err := j.Engine.ImageID(ctx, j.Image)
	return err
}

// stopOld stops the old sandbox: what it would write after its backup would be lost.
func (j *job) stopOld(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	if err != nil || !there || !c.Running() {
		return err
	}
	return j.Engine.Stop(ctx, j.OldContainer)
}

func (j *job) save(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("container %q of sandbox %q is gone", j.ContainerName, j.Name)
	}
	saved, err := j.Content.Save(ctx, j.sandbox(j.OldID, c))
	if err != nil {
		return err
	}
	j.Backup, j.LeftOut = saved.ID, saved.LeftOut
	return nil
}

// originLabel is on a rollback image and on every container made from it: the image that the sandbox came from before.
const originLabel = "io.sandkeeper.rollback-of"

// keepImage makes the old container an image. The labels by which drivers find their sandboxes are blank in it.
func (j *job) keepImage(ctx context.Context) error {
	if _, err := j.Engine.Commit(ctx, j.OldContainer, j.RollbackImage, map[string]string{originLabel: j.Image}); err != nil {
		return err
	}
	_, err := j.Engine.ImageID(ctx, j.RollbackImage)
	return err
}

// deleteOld deletes the old sandbox, unless that is done, and waits until its container is gone too.
func (j *job) deleteOld(ctx context.Context) error {
	if err := j.hold(ctx); err != nil {
		return err
	}
	if _, err := j.Engine.ImageID(ctx, j.RollbackImage); err != nil {
		return fmt.Errorf("without its rollback image nothing is deleted: %w", err)
	}
	record, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	if found && record.ID != j.OldID {
		return fmt.Errorf("sandbox %q has another id now (%s, not %s)", j.Name, record.ID, j.OldID)
	}
	if err := j.delete(ctx, j.OldID); err != nil {
		return err
	}
	if _, found, err = j.listed(ctx); err != nil || found {
		return errors.Join(err, stillListed(j.Name, found))
	}
	return j.awaitGone(ctx)
}

func stillListed(name string, found bool) error {
	if !found {
		return nil
	}
	return fmt.Errorf("sandbox %q is still listed after it was deleted", name)
}

// delete goes through the chain also when the gateway has the sandbox no longer: extensions may still owe their part.
func (j *job) delete(ctx context.Context, id string) error {
	err := j.driver.DeleteSandbox(ctx, j.reference(id))
	if released, ok := errors.AsType[*lifecycle.ReleaseError](err); ok {
		j.warn(released.Error())
		return nil
	}
	return err
}

// goneLimit is how long a container may outlive its sandbox.
const goneLimit = 30 * time.Second

// awaitGone waits for the old container to go. One that stays although its gateway has deleted the sandbox is removed: all of it is
// in the backup and in the rollback image, and beside the new one it would be a second sandbox of that name.
func (j *job) awaitGone(ctx context.Context) error {
	until := time.Now().Add(min(goneLimit, orDefault(j.ReadyLimit, DefaultReadyLimit)))
	for {
		_, there, err := j.oldContainer(ctx)
		switch {
		case err == nil && !there:
			return nil
		case time.Now().After(until) && err != nil:
			return err
		case time.Now().After(until):
			j.warn(fmt.Sprintf("container %q outlived its sandbox and was removed", j.ContainerName))
			err := j.Engine.Remove(ctx, j.OldContainer)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := j.pause(ctx); err != nil {
			return err
		}
	}
}

// create makes the new sandbox, unless a run that was killed has made it.
func (j *job) create(ctx context.Context) error { return j.createFrom(ctx, j.Image) }

func (j *job) createFrom(ctx context.Context, image string) error {
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return err
	case found && record.ID == j.OldID:
		return fmt.Errorf("sandbox %q is listed again under its old id", j.Name)
	case found:
		j.NewID = record.ID
		return nil
	}
	request, err := withImage(j.Request, image)
	if err != nil {
		return err
	}
	record, err = j.driver.CreateSandbox(ctx, request)
	if record.ID != "" {
		j.NewID = record.ID
		if err != nil {
			j.warn(fmt.Sprintf("it was created, and then: %v", err))
		}
		return nil
	}
	if err == nil {
		return fmt.Errorf("gateway %q created sandbox %q and gave it no id", j.Gateway, j.Name)
	}
	return err
}

// withImage is the request with another image in its recipe; "" leaves the recipe's own.
func withImage(request lifecycle.Request, image string) (lifecycle.Request, error) {
	if image == "" {
		return request, nil
	}
	recipe, err := DecodeRecipe(request.Spec)
	if err != nil {
		return request, err
	}
	if recipe, err = recipe.With(image); err != nil {
		return request, err
	}
	swapped, err := recipe.Request()
	if err != nil {
		return request, err
	}
	request.Spec = swapped.Spec
	return request, nil
}

// finish drops the rollback image: the new sandbox has everything.
func (j *job) finish(ctx context.Context) error {
	err := j.Engine.RemoveImage(ctx, j.RollbackImage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.warn(fmt.Sprintf("its rollback image %s could not be removed: %v", j.RollbackImage, err))
		return nil
	}
	j.RollbackImage = ""
	return nil
}
