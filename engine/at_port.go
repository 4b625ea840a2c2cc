package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// AtPort inspects the running containers that may answer at a TCP port of this host: those that publish it, and those
// on the host's own network, which publish nothing.
func (e *Engine) AtPort(ctx context.Context, port int) ([]Container, error) {
	listed, err := e.running(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the containers of %s: %w", e.host, err)
	}
	var found []Container
	for _, summary := range listed {
		if summary.HostConfig.NetworkMode != "host" && !publishes(summary, port) {
			continue
		}
		c, err := e.Inspect(ctx, summary.ID)
		if err != nil {
			return found, err
		}
		if c.HostNetwork || slices.Contains(c.Ports, port) {
			found = append(found, c)
		}
	}

	return found, nil
}

func (e *Engine) running(ctx context.Context) ([]container.Summary, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	listed, err := e.client.ContainerList(ctx, container.ListOptions{})
	return listed, e.explain(ctx, err)
}

func publishes(s container.Summary, port int) bool {
	return slices.ContainsFunc(s.Ports, func(p container.Port) bool { return int(p.PublicPort) == port })
}

// ImageNames are the references by which the engine knows an image, and the version that its label
// org.opencontainers.image.version tells; both empty for an image without names and label.
func (e *Engine) ImageNames(ctx context.Context, id string) (names []string, version string, err error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	found, err := e.client.ImageInspect(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("inspecting image %q: %w", id, e.explain(ctx, err))
	}
	if found.Config != nil {
		version = found.Config.Labels["org.opencontainers.image.version"]
	}
	return found.RepoTags, version, nil
}
