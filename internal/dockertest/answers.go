package dockertest

import (
	"strconv"
	"strings"
	"time"
)

// summary is one item of GET /containers/json.
type summary struct {
	ID      string `json:"Id"`
	Names   []string
	Image   string
	ImageID string
	Created int64
	State   string
	Status  string
	Labels  map[string]string
	Mounts  []Mount
	Ports   []any

	HostConfig map[string]string

	order string
}

func (c *Container) summary() summary {
	return summary{
		ID: c.ID, Names: []string{"/" + c.Name}, Image: c.Image, ImageID: c.ImageID, Created: c.Created.Unix(), State: c.State,
		Status: c.State, Labels: c.labels(), Mounts: c.mounts(), Ports: c.listed(), HostConfig: c.network(), order: c.Created.Format(time.RFC3339Nano) + c.ID,
	}
}

// details is GET /containers/ID/json.
func (c *Container) details() map[string]any {
	command := c.Command
	if len(command) == 0 {
		command = []string{"/bin/sh"}
	}
	return map[string]any{
		"Id": c.ID, "Name": "/" + c.Name, "Image": c.ImageID, "Created": c.Created.Format(time.RFC3339Nano),
		"Path": command[0], "Args": command[1:],
		"State": map[string]any{
			"Status": c.State, "Running": c.State == "running" || c.State == "paused", "Paused": c.State == "paused",
			"StartedAt": c.Started.Format(time.RFC3339Nano),
		},
		"Config":          map[string]any{"Image": c.Image, "Labels": c.labels(), "Env": c.Env},
		"Mounts":          c.mounts(),
		"NetworkSettings": map[string]any{"Ports": c.published()},
		"HostConfig":      c.network(),
	}
}

func (c *Container) network() map[string]string {
	if c.OnHost {
		return map[string]string{"NetworkMode": "host"}
	}
	return map[string]string{"NetworkMode": "default"}
}

// listed are the published ports as a listing shows them.
func (c *Container) listed() []any {
	ports := []any{}
	for port, bindings := range c.published() {
		inside, kind, _ := strings.Cut(port, "/")
		private, _ := strconv.Atoi(inside)
		for _, b := range bindings.([]map[string]string) {
			public, _ := strconv.Atoi(b["HostPort"])
			ports = append(ports, map[string]any{"IP": b["HostIp"], "PrivatePort": private, "PublicPort": public, "Type": kind})
		}
	}
	return ports
}

func (c *Container) labels() map[string]string {
	if c.Labels == nil {
		return map[string]string{}
	}
	return c.Labels
}

func (c *Container) mounts() []Mount {
	if c.Mounts == nil {
		return []Mount{}
	}
	return c.Mounts
}

// published is what NetworkSettings.Ports shows: nothing unless the container runs.
func (c *Container) published() map[string]any {
	ports := map[string]any{}
	if c.State != "running" && c.State != "paused" {
		return ports
	}
	for port, hosts := range c.Ports {
		bindings := []map[string]string{}
		for _, host := range hosts {
			bindings = append(bindings, map[string]string{"HostIp": "127.0.0.1", "HostPort": host})
		}
		ports[port] = bindings
	}
	return ports
}
