package gateway

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// layout is which containers a sandbox is made of: one with its supervisor inside to 0.0.x, a pair since 0.1.0.
type layout interface {
	// prepare puts on the host what all sandboxes need.
	prepare(ctx context.Context) error
	// roles are the labels that tell the container with the sandbox's file system from others of it.
	roles() []string
	// make creates and starts a sandbox.
	make(ctx context.Context, s Sandbox, r recipe, from image.InspectResponse) *failure
	// restart starts a sandbox whose container has ended.
	restart(ctx context.Context, s Sandbox, c *container.Summary) error
	// stop stops a sandbox; everything that was written stays.
	stop(ctx context.Context, s Sandbox, c *container.Summary) error
	// discard removes everything of a sandbox from the host; c is nil when its container is gone.
	discard(ctx context.Context, s Sandbox, c *container.Summary) error
	// supervisor is the container whose supervisor it is.
	supervisor(ctx context.Context, id, containerID string) string
	// lost is told that the session of a sandbox that is meant to run has ended.
	lost(ctx context.Context, id, containerID string)
	// inspect looks at a container that has changed, and may find its sandbox in another phase than its state alone
	// says.
	inspect(ctx context.Context, s snapshot) (phase Phase, reason, message string)
	// violates reports whether a container that passes for a sandbox's is none that the driver would make.
	violates(c container.Summary) bool
	// exec says as whom and where a command runs.
	exec(s Sandbox, seen container.InspectResponse) (user, workdir string)
}
