package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"sandkeeper/driver"
	"sandkeeper/lifecycle"
)

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
		return fmt.Errorf("sandbox %q has another id now (%s, not %s)", j.Address(), record.ID, j.OldID)
	}
	if found {
		if err := j.untouched(ctx); err != nil {
			return err
		}
	}

	if err := j.doom(); err != nil {
		return err
	}
	if err := j.delete(ctx, j.OldID); err != nil {
		return err
	}
	if _, found, err = j.listed(ctx); err != nil || found {
		return errors.Join(err, stillListed(j.Address(), found))
	}
	return j.awaitGone(ctx)
}

// doom writes down that from here on only a look tells whether the old sandbox is there.
func (j *job) doom() error {
	j.DeleteRequested = true
	return j.Journal.Enter(j.Entry, j.Step)
}

func stillListed(name string, found bool) error {
	if !found {
		return nil
	}
	return fmt.Errorf("sandbox %q is still listed after it was deleted", name)
}

// delete goes through the chain also when the gateway has the sandbox no longer: extensions may still owe their part.
// Ctrl-C does not cut it short: a gateway may go on with a deletion that nobody waits for.
func (j *job) delete(ctx context.Context, id string) error {
	ctx = context.WithoutCancel(ctx)
	j.awaitMade(ctx, id)
	err := j.driver.DeleteSandbox(ctx, j.reference(id))
	if released, ok := errors.AsType[*lifecycle.ReleaseError](err); ok {
		j.warn(released.Error())
		return nil
	}
	return err
}

// awaitMade waits, for a while, until a sandbox that its gateway is still making has its container: deleted before that
// it may leave the container behind, which comes late and passes for a second sandbox of that name.
func (j *job) awaitMade(ctx context.Context, id string) {
	until := time.Now().Add(min(goneLimit, j.patience().ReadyLimit()))
	for {
		record, found, err := j.listed(ctx)
		if err != nil || !found || record.ID != id || record.Phase != "Provisioning" || time.Now().After(until) {
			return
		}
		if _, err := j.containerOf(ctx, id); !errors.Is(err, fs.ErrNotExist) || j.patience().Pause(ctx) != nil {
			return
		}
	}
}

// goneLimit is how long a container may outlive its sandbox.
const goneLimit = 30 * time.Second

// awaitGone waits for the old container to go. One that stays although its gateway has deleted the sandbox is removed:
// all of it is in the backup and in the rollback image, and beside the new one it would be a second sandbox of that
// name.
func (j *job) awaitGone(ctx context.Context) error {
	until := time.Now().Add(min(goneLimit, j.patience().ReadyLimit()))
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

		if err := j.patience().Pause(ctx); err != nil {
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
		return fmt.Errorf("sandbox %q is listed again under its old id", j.Address())
	case found:
		j.NewID = record.ID
		return nil
	}

	request, err := withImage(j.Request, image)
	if err != nil {
		return err
	}
	record, err = j.driver.CreateSandbox(context.WithoutCancel(ctx), request) // or it would come about after the way back had begun
	if record.ID != "" {
		j.NewID = record.ID
		if err != nil {
			j.warn(fmt.Sprintf("it was created, and then: %v", err))
		}
		return nil
	}

	if err == nil {
		return fmt.Errorf("gateway %q created sandbox %q and gave it no id", j.Gateway, j.Address())
	}
	return err
}

// withImage is the request with another image in its recipe; "" leaves the recipe's own.
func withImage(request lifecycle.Request, image string) (lifecycle.Request, error) {
	if image == "" {
		return request, nil
	}
	recipe, err := driver.DecodeRecipe(request.Spec)
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
	ctx = context.WithoutCancel(ctx) // the engine removes it either way
	err := j.Engine.RemoveImage(ctx, j.RollbackImage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.warn(fmt.Sprintf("its rollback image %s could not be removed: %v", j.RollbackImage, err))
	} else {
		j.RollbackImage = ""
	}
	return j.dropEarlier(ctx)
}

// rollbackPrefix begins the name of every rollback image.
const rollbackPrefix = "sandkeeper-rollback/"

// dropEarlier removes the rollback image that the old sandbox ran from, if an earlier upgrade had been taken back.
func (j *job) dropEarlier(ctx context.Context) error {
	recipe, err := driver.DecodeRecipe(j.Request.Spec)
	if err != nil || !strings.HasPrefix(recipe.Image, rollbackPrefix) {
		return nil
	}
	if err := j.Engine.RemoveImage(ctx, recipe.Image); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.warn(fmt.Sprintf("the rollback image %s of an earlier upgrade could not be removed: %v", recipe.Image, err))
	}
	return nil
}
