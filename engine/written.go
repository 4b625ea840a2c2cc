package engine

import (
	"context"
	"fmt"
)

// Written is how many bytes a container has written over its image.
func (e *Engine) Written(ctx context.Context, id string) (int64, error) {
	answer, _, err := e.client.ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return 0, fmt.Errorf("size of container %q: %w", id, err)
	}
	if answer.ContainerJSONBase == nil || answer.SizeRw == nil {
		return 0, fmt.Errorf("the engine does not say how much container %q has written", id)
	}
	return *answer.SizeRw, nil
}
