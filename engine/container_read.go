package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

func fromSummary(s container.Summary) Container {
	c := Container{
		ID: s.ID, Name: firstName(s.Names), Image: s.Image, ImageID: s.ImageID, State: string(s.State), Labels: s.Labels,
		Mounts: mounts(s.Mounts), Created: time.Unix(s.Created, 0).UTC(),
	}
	return c.claimed()
}

func fromInspect(i container.InspectResponse) Container {
	c := Container{
		ID: i.ID, Name: strings.TrimPrefix(i.Name, "/"), Image: i.Config.Image, ImageID: i.ContainerJSONBase.Image,
		State: string(i.State.Status), Labels: i.Config.Labels, Mounts: mounts(i.Mounts),
	}
	if created, err := time.Parse(time.RFC3339Nano, i.Created); err == nil {
		c.Created = created.UTC()
	}
	if started, err := time.Parse(time.RFC3339Nano, i.State.StartedAt); err == nil {
		c.Started = started.UTC()
	}
	c.Ports = publishedPorts(i)
	if i.Path != "" {
		c.Command = append([]string{i.Path}, i.Args...)
	}
	for _, variable := range i.Config.Env {
		if url, ok := strings.CutPrefix(variable, "OPENSHELL_ENDPOINT="); ok {
			c.Endpoint = url
		}
	}

	if i.HostConfig != nil {
		c.AutoRemove, c.HostNetwork = i.HostConfig.AutoRemove, i.HostConfig.NetworkMode.IsHost()
		c.ReadOnly = i.HostConfig.ReadonlyRootfs
		for _, target := range slices.Sorted(maps.Keys(i.HostConfig.Tmpfs)) { // of --tmpfs; those of --mount are among i.Mounts
			c.Mounts = append(c.Mounts, Mount{Type: "tmpfs", Destination: target})
		}
	}

	return c.claimed()
}

// claimed fills in what the labels say about the sandbox that c belongs to.
func (c Container) claimed() Container {
	c.SandboxID, c.SandboxName = c.Labels[LabelSandboxID], c.Labels[LabelSandboxName]
	c.Namespace, c.Workspace, c.Role = c.Labels[LabelNamespace], c.Labels[LabelWorkspace], c.Labels[LabelRole]
	c.Podman = c.Labels[LabelPodman] == "true"
	return c
}

// firstName picks the container's own name: links of other containers to it appear as "/other/alias".
func firstName(names []string) string {
	for _, name := range names {
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

func mounts(points []container.MountPoint) []Mount {
	found := make([]Mount, 0, len(points))
	for _, p := range points {
		found = append(found, Mount{Type: string(p.Type), Name: p.Name, Source: p.Source, Destination: p.Destination})
	}
	return found
}

// publishedPorts are the host ports that lead to i, sorted. A container on the host's network publishes none.
func publishedPorts(i container.InspectResponse) []int {
	if i.NetworkSettings == nil {
		return nil
	}
	var ports []int
	for _, bindings := range i.NetworkSettings.Ports {
		for _, b := range bindings {
			if port, err := strconv.Atoi(b.HostPort); err == nil {
				ports = append(ports, port)
			}
		}
	}

	slices.Sort(ports)
	return slices.Compact(ports)
}
