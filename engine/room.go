package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/client"
	"github.com/shirou/gopsutil/v3/disk"

	"sandkeeper/internal/text"
)

// ErrRoomUnknown is wrapped when the room on the engine's disk cannot be seen: the engine is on another host, or does
// not say.
var ErrRoomUnknown = errors.New("the room on the container engine's disk is not known")

// ErrNoRoom is wrapped when what is to be written has no room on the engine's disk.
var ErrNoRoom = errors.New("no room on the container engine's disk")

// RoomToCommit reports, as an error, that the engine's disk has less room than an image of the container takes.
func (e *Engine) RoomToCommit(ctx context.Context, id string) error {
	written, free, root, err := e.sizes(ctx, id)
	if err == nil && written > free {
		err = fmt.Errorf("an image of container %q needs %d bytes, and %s has %d left", id, written, root, free)
	}
	return err
}

// RoomToReplace gives an error that wraps ErrNoRoom when the engine's disk has less room than so many bytes take in the
// container, also if all that was ever written there made way for them. Any other error says that this cannot be seen.
func (e *Engine) RoomToReplace(ctx context.Context, id string, bytes int64) error {
	written, free, root, err := e.sizes(ctx, id)
	if err == nil && bytes > free+written {
		err = text.As(ErrNoRoom, "%d bytes are to be written, and %s has %d left, with %d in the container that they could replace", bytes, root, free, written)
	}
	return err
}

// Written is how many bytes a container has written over its image.
func (e *Engine) Written(ctx context.Context, id string) (int64, error) {
	ctx, cancel := e.within(ctx, e.timeout+stopGrace) // the engine adds the sizes of all files up
	defer cancel()
	inspected, _, err := e.client.ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return 0, fmt.Errorf("inspecting container %q: %w", id, e.explain(ctx, err))
	}
	if inspected.ContainerJSONBase == nil || inspected.SizeRw == nil {
		return 0, fmt.Errorf("%w: it does not say how large container %q is", ErrRoomUnknown, id)
	}
	return *inspected.SizeRw, nil
}

// sizes are what was written in a container, and the room on the disk of its engine.
func (e *Engine) sizes(ctx context.Context, id string) (written, free int64, root string, err error) {
	if written, err = e.Written(ctx, id); err != nil {
		return 0, 0, "", err
	}
	free, root, err = e.free(ctx)
	return written, free, root, err
}

// free is the room on the disk that the engine writes to, when that is a disk of this host.
func (e *Engine) free(ctx context.Context) (bytes int64, root string, err error) {
	address, err := client.ParseHostURL(e.host)
	if err != nil || address.Scheme != "unix" {
		return 0, "", fmt.Errorf("%w: %s is not on this host", ErrRoomUnknown, e.host)
	}
	ctx, cancel := e.within(ctx, max(e.timeout, describeLimit))
	defer cancel()
	info, err := e.client.Info(ctx)
	if err != nil || info.DockerRootDir == "" {
		return 0, "", fmt.Errorf("%w: it does not say where it writes", ErrRoomUnknown)
	}
	usage, err := disk.UsageWithContext(ctx, info.DockerRootDir)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", ErrRoomUnknown, err)
	}
	return int64(min(usage.Free, 1<<62)), info.DockerRootDir, nil
}
