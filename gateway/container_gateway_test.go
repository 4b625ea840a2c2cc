package gateway

import (
	"path/filepath"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/internal/dockertest"
)

const foreignID = "f000000000000000000000000000000000000000000000000000000000000001"

// Promise: a gateway in a container is judged by the image that the container runs, and by no file or process of this host.
func TestAGatewayInAContainerIsJudgedByItsImage(t *testing.T) {
	published := map[string][]string{"17670/tcp": {"8080"}}
	proxy := table{processes: []Process{{PID: 7, UID: 1000, Args: []string{"docker-proxy", "-host-port", "8080"}}}, ports: map[int][]int{7: {8080}}}
	inside := table{
		processes: []Process{{PID: 7, UID: 1000, Args: []string{"/usr/bin/openshell-gateway"}}}, ports: map[int][]int{7: {8080}},
		realms: map[int]Realm{7: {Kind: Foreign, Why: "process 7 is in another process namespace", Container: foreignID}},
	}
	gateway := dockertest.Container{ID: foreignID, Name: "gw", Image: "ghcr.io/nvidia/openshell/gateway:0.0.36", ImageID: "sha256:36", Command: []string{"openshell-gateway"}}
	with := func(change func(*dockertest.Container)) dockertest.Container {
		c := gateway
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		table     table
		container dockertest.Container
		cli       string
		active    bool
		version   string
	}{
		"behind a proxy":            {proxy, with(func(c *dockertest.Container) { c.Ports = published }), "Connected", true, "0.0.36"},
		"without a visible holder":  {table{}, with(func(c *dockertest.Container) { c.Ports = published }), "Connected", true, "0.0.36"},
		"on the host's network":     {inside, with(func(c *dockertest.Container) { c.OnHost = true }), "Connected", true, "0.0.36"},
		"that does not answer":      {inside, with(func(c *dockertest.Container) { c.OnHost = true }), "Disconnected", true, "0.0.36"},
		"by the image's other name": {proxy, with(func(c *dockertest.Container) { c.Ports, c.Image, c.ImageID = published, "local/gw", "sha256:36" }), "Connected", true, "0.0.36"},
		"of an image that was replaced": {proxy, with(func(c *dockertest.Container) {
			c.Ports, c.Image, c.ImageID = published, "ghcr.io/nvidia/openshell/gateway:0.0.37", "sha256:36"
		}), "Connected", true, "0.0.36"},
		"a node of a cluster": {proxy, with(func(c *dockertest.Container) {
			c.Ports, c.Image, c.ImageID, c.Command = published, "kindest/node:v1.30.0", "", nil
		}), "Connected", true, ""},
		"another program": {proxy, with(func(c *dockertest.Container) {
			c.Ports, c.Image, c.ImageID, c.Command = published, "nginx:1.27", "", nil
		}), "Disconnected", false, ""},
		"another one on the host's": {table{}, with(func(c *dockertest.Container) { c.OnHost = true }), "Disconnected", false, ""},
		"stopped":                   {table{}, with(func(c *dockertest.Container) { c.Ports, c.State = published, "exited" }), "Disconnected", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, answering("nemoclaw", test.cli, "x"))
			script(t, filepath.Join(s.home, "bin", gatewayProgram), "echo openshell-gateway 0.0.37")
			s.Processes = test.table
			s.daemon.Add(test.container)
			s.daemon.AddImage("ghcr.io/nvidia/openshell/gateway:0.0.36", "sha256:36")
			s.daemon.AddImage("ghcr.io/nvidia/openshell/gateway:0.0.37", "sha256:37")
			got := Observe(t.Context(), s.Options)
			c := got.Cluster
			if c.Active != test.active || c.Active && (c.Container != "gw" || c.Version.String() != test.version) {
				t.Errorf("cluster %+v (%s), want active %v and %q", c, c.Why, test.active, test.version)
			}
			if test.active && (got.Process.State != drift.Absent || got.File.State != drift.Absent) {
				t.Errorf("process %+v, file %+v; want neither to be evidence", got.Process, got.File)
			}
		})
	}
}
