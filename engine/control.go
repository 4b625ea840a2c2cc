package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// Some requests wait for something inside a container, or copy its writable layer.
const (
	stopGrace     = 10 * time.Second // what the engine gives a container's main process before it kills it
	commitTimeout = 30 * time.Minute
	untagTimeout  = 5 * time.Minute // removing an image is the removal of its layers, and the engine does that for one image at a time
)

// Pause freezes every process of a container. A container that is frozen already is no error.
func (e *Engine) Pause(ctx context.Context, id string) error {
	return e.control(ctx, "pausing", id, e.timeout, func(ctx context.Context) error {
		err := e.client.ContainerPause(ctx, id)
		return e.unless(ctx, id, err, Container.Paused)
	})
}

// Unpause lets a frozen container go on. A container that is not frozen is no error.
func (e *Engine) Unpause(ctx context.Context, id string) error {
	return e.control(ctx, "unpausing", id, e.timeout, func(ctx context.Context) error {
		err := e.client.ContainerUnpause(ctx, id)
		return e.unless(ctx, id, err, func(c Container) bool { return !c.Paused() })
	})
}

// Start starts a container. If it runs already, that is no error.
func (e *Engine) Start(ctx context.Context, id string) error {
	return e.control(ctx, "starting", id, e.timeout+stopGrace, func(ctx context.Context) error {
		return e.client.ContainerStart(ctx, id, container.StartOptions{})
	})
}

// Stop stops a container, gently first. If it does not run, that is no error.
func (e *Engine) Stop(ctx context.Context, id string) error {
	return e.control(ctx, "stopping", id, e.timeout+2*stopGrace, func(ctx context.Context) error {
		grace := int(stopGrace / time.Second)
		return e.client.ContainerStop(ctx, id, container.StopOptions{Timeout: &grace})
	})
}

// Remove deletes a container, running or not, and leaves its named volumes alone. The error wraps fs.ErrNotExist when
// it is gone already.
func (e *Engine) Remove(ctx context.Context, id string) error {
	return e.control(ctx, "removing", id, e.timeout+2*stopGrace, func(ctx context.Context) error {
		return e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
	})
}

// ImageID returns the id behind an image reference. The error wraps fs.ErrNotExist when the engine has no such image.
func (e *Engine) ImageID(ctx context.Context, ref string) (string, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	inspected, err := e.client.ImageInspect(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("inspecting image %q: %w", ref, e.explain(ctx, err))
	}
	return inspected.ID, nil
}

// ImageWorkdir is the WORKDIR of an image, "" when it has none. The error wraps fs.ErrNotExist when the engine has no
// such image.
func (e *Engine) ImageWorkdir(ctx context.Context, ref string) (string, error) {
	_, dir, err := e.imageConfig(ctx, ref)
	return dir, err
}

// ImageUser is the USER of an image, "" when it has none. The error wraps fs.ErrNotExist when the engine has no such
// image.
func (e *Engine) ImageUser(ctx context.Context, ref string) (string, error) {
	user, _, err := e.imageConfig(ctx, ref)
	return user, err
}

func (e *Engine) imageConfig(ctx context.Context, ref string) (user, workdir string, err error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	inspected, err := e.client.ImageInspect(ctx, ref)
	if err != nil {
		return "", "", fmt.Errorf("inspecting image %q: %w", ref, e.explain(ctx, err))
	}
	if inspected.Config == nil {
		return "", "", nil
	}
	return inspected.Config.User, inspected.Config.WorkingDir, nil
}

// RemoveImage removes an image reference, and the image with its last reference; also what a Commit to it that was
// killed has left. The error wraps fs.ErrNotExist when the engine has no such image.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	if err := e.untag(ctx, Unfinished(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return e.untag(ctx, ref)
}

func (e *Engine) untag(ctx context.Context, ref string) error {
	ctx, cancel := e.within(ctx, untagTimeout)
	defer cancel()
	_, err := e.client.ImageRemove(ctx, ref, image.RemoveOptions{})
	if err == nil {
		return nil
	}
	if err = e.explain(ctx, err); !errors.Is(err, fs.ErrNotExist) {
		// Podman goes on to the image's parents, whatever it is asked, and answers with what is wrong with those
		// (docs/facts/engines.md 1).
		if _, after := e.ImageID(ctx, ref); errors.Is(after, fs.ErrNotExist) {
			return nil
		}
	}

	return fmt.Errorf("removing image %q: %w", ref, err)
}

func (e *Engine) control(ctx context.Context, doing, id string, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := e.within(ctx, limit)
	defer cancel()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s container %q: %w", doing, id, e.explain(ctx, err))
	}
	return nil
}

// unless forgives err when the container is already as it was to become. Docker answers 409 then, Podman 500.
func (e *Engine) unless(ctx context.Context, id string, err error, done func(Container) bool) error {
	if err == nil || errdefs.IsNotFound(err) || ctx.Err() != nil {
		return err
	}
	c, lookErr := e.Inspect(ctx, id)
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	if done(c) {
		return nil
	}
	return err
}
