package e2e

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// upgradeHost is a host with a real openshell, a gateway that speaks gRPC, and one sandbox in a real container whose image has moved on.
type upgradeHost struct {
	realHost
	engine  *engine
	driver  *gateway.Lenient
	backend *unruly // in front of the driver
	power   *power  // of the gateway in front of that
	name    string
	image   string // reference
	oldID   string // of the image that the sandbox was made from
	newID   string // of the one that the reference names now
	files   map[string]string
	spec    []byte
	calls   calls // of its gateway
}

// calls are the RPCs that a gateway was asked for.
type calls struct {
	mu   sync.Mutex
	made []string
}

func (c *calls) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, path.Base(method))
}

func (c *calls) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = nil
}

// since are the calls since the last begin.
func (c *calls) since() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.made)
}

// The command is of its main process; by default one that ends when it is told to.
func newUpgradeHost(t *testing.T, state string, command ...string) *upgradeHost {
	t.Helper()
	if command == nil {
		command = listening()
	}
	const version = "0.0.110"
	cli := realCLI(t, version)
	e := newEngine(t)
	u := &upgradeHost{engine: e, name: "up" + gateway.NewID()[:8], image: fmt.Sprintf("e2e%d/sandbox-from:1", freePort(t))}
	u.drive(version, command...)
	u.backend = &unruly{Backend: u.driver}
	u.power = &power{t: t, server: &gateway.Server{Version: version, Backend: u.backend, Calls: u.calls.add}, address: "127.0.0.1:0"}
	u.power.on()
	t.Cleanup(u.power.off)
	u.realHost = newRealHostAt(t, cli, "http://"+u.power.address)
	t.Cleanup(func() { u.sweep() })
	u.oldID = u.build("one")
	u.create()
	if state == "exited" {
		e.stop(u.only().ID)
	}
	u.newID = u.build("two")
	return u
}

// drive makes the sandboxes of the gateway containers of its own.
func (u *upgradeHost) drive(version string, command ...string) {
	u.driver = &gateway.Lenient{Client: u.engine.client, Version: version, Namespace: "e2e-" + u.name, Command: command}
}

// create makes the sandbox and gives it its home. Its spec has a field that no generation has yet.
func (u *upgradeHost) create() {
	u.t.Helper()
	spec := gateway.Sandbox{Image: u.image, Environment: map[string]string{"MODE": "careful"}}.NewSpec(u.driver.Version)
	u.spec = append(spec, protoText(15, "from the future")...)
	if _, err := u.driver.Create(u.t.Context(), gateway.Sandbox{Name: u.name, Spec: u.spec}); err != nil {
		u.t.Fatal(err)
	}
	u.fill()
}

// fill gives the sandbox its home.
func (u *upgradeHost) fill() {
	u.t.Helper()
	c := u.only()
	u.engine.put(c.ID, home()...)
	u.files = u.engine.now(c.ID)
}

// listening is a main process that ends when it is told to.
func listening() []string {
	return []string{"/bin/sh", "-c", "trap 'exit 0' TERM; /bin/sleep 600 & wait"}
}

// build makes the image under the reference, with a file that tells it apart.
func (u *upgradeHost) build(mark string) (id string) {
	u.t.Helper()
	return u.engine.build(u.image, entry{name: "sandbox/of-the-image", content: mark, mode: 0o644})
}

// containers are those that pass for this sandbox.
func (u *upgradeHost) containers() []container.Summary {
	u.t.Helper()
	found, err := u.engine.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", "openshell.ai/managed-by=openshell"), filters.Arg("label", "openshell.ai/sandbox-name="+u.name))})
	if err != nil {
		u.t.Fatal(err)
	}
	return found
}

func (u *upgradeHost) only() container.Summary {
	u.t.Helper()
	found := u.containers()
	if len(found) != 1 {
		u.t.Fatalf("%d containers pass for sandbox %q, want one", len(found), u.name)
	}
	return found[0]
}

// sweep removes what the test and the upgrade have made.
func (u *upgradeHost) sweep() {
	for _, c := range u.containers() {
		_ = u.engine.client.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true})
	}
	kept, _ := u.engine.client.ImageList(context.Background(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "sandkeeper-rollback/"+u.name))})
	ids := []string{u.oldID, u.newID}
	for _, i := range kept {
		ids = append([]string{i.ID}, ids...)
	}
	for _, id := range ids {
		_, _ = u.engine.client.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true})
	}
}

// holds compares what there is now with what there was: one sandbox, one container, its state, its files, its recipe.
func (u *upgradeHost) holds(state, imageID string) {
	u.t.Helper()
	listed, err := u.driver.List(u.t.Context())
	listed = slices.DeleteFunc(listed, func(s gateway.Sandbox) bool { return s.Name != u.name })
	if err != nil || len(listed) != 1 {
		u.t.Fatalf("the gateway lists %+v, %v, want the one sandbox", listed, err)
	}
	if forwards := imageID == u.newID; forwards && string(listed[0].Spec) != string(u.spec) {
		u.t.Errorf("its spec is %q, want %q as it was", listed[0].Spec, u.spec)
	} else if !strings.Contains(string(listed[0].Spec), "from the future") {
		u.t.Errorf("its spec has lost the field from the future: %q", listed[0].Spec)
	}
	c := u.only()
	if c.State != state || c.ImageID != imageID {
		u.t.Errorf("the container is %s and runs from %s, want %s from %s", c.State, c.ImageID, state, imageID)
	}
	if diff := cmp.Diff(u.files, u.engine.now(c.ID)); diff != "" {
		u.t.Errorf("the home (-before +now):\n%s", diff)
	}
	inspected, err := u.engine.client.ContainerInspect(u.t.Context(), c.ID)
	if err != nil || !strings.Contains(strings.Join(inspected.Config.Env, " "), "MODE=careful") {
		u.t.Errorf("its environment is %v, %v", inspected.Config.Env, err)
	}
}
