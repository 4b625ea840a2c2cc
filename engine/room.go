package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/client"
	"github.com/shirou/gopsutil/v3/disk"
)

// ErrRoomUnknown is wrapped when the room on the engine's disk cannot be seen: the engine is on another host, or does
// not say.
var ErrRoomUnknown = errors.New("the room on the container engine's disk is not known")

// RoomToCommit reports, as an error, that the engine's disk has less room than an image of the container takes.
func (e *Engine) RoomToCommit(ctx context.Context, id string) error {
	ctx, cancel := e.within(ctx, e.timeout+stopGrace) // the engine adds the sizes of all files up
	defer cancel()
	inspected, _, err := e.client.ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return fmt.Errorf("inspecting container %q: %w", id, e.explain(ctx, err))
	}
	if inspected.ContainerJSONBase == nil || inspected.SizeRw == nil {
		return fmt.Errorf("%w: it does not say how large container %q is", ErrRoomUnknown, id)
	}
	free, root, err := e.free(ctx)
	if err != nil {
		return err
	}
	if need := *inspected.SizeRw; need > free {
		return fmt.Errorf("an image of container %q needs %d bytes, and %s has %d left", id, need, root, free)
	}
	return nil
}

// free is the room on the disk that the engine writes to, when that is a disk of this host.
func (e *Engine) free(ctx context.Context) (bytes int64, root string, err error) {
	address, err := client.ParseHostURL(e.host)
	if err != nil || address.Scheme != "unix" {
		return 0, "", fmt.Errorf("%w: %s is not on this host", ErrRoomUnknown, e.host)
	}
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
