package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// upgradeHost is a host with a real openshell, a gateway that speaks gRPC, and one sandbox in a real container whose image has moved on.
type upgradeHost struct {
	realHost
	engine   *engine
	driver   *gateway.Docker
	version  string
	workdir  string  // of its image; "" is /sandbox
	script   string  // of the stand-in that is its command line: of 0.1.x none is published where tests can fetch it
	owner    int     // the user that the gateway runs as
	keepsOld bool    // the old image has a second name
	backend  *unruly // in front of the driver
	power    *power  // of the gateway in front of that
	name     string
	image    string // reference
	oldID    string // of the image that the sandbox was made from
	newID    string // of the one that the reference names now
	files    map[string]string
	spec     []byte
	calls    calls // of its gateway
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

// newUpgradeHost has one sandbox. The command is of the agent's main process; by default one that ends when it is told to.
func newUpgradeHost(t *testing.T, state string, command ...string) *upgradeHost {
	t.Helper()
	return (&upgradeHost{version: trueVersion}).begin(t, state, command)
}

func (u *upgradeHost) begin(t *testing.T, state string, command []string) *upgradeHost {
	t.Helper()
	cli := filepath.Join(os.Getenv(programs), "openshell")
	if !u.pairs() {
		cli = realCLI(t, u.version)
	}
	e := newEngine(t)
	e.home = u.workdir
	u.realHost.t = t
	u.engine, u.name, u.image = e, "up"+gateway.NewID()[:8], fmt.Sprintf("e2e%d/sandbox-from:1", freePort(t))
	u.drive(command...)
	u.backend = &unruly{Backend: u.driver}
	u.power = &power{t: t, server: &gateway.Server{Version: u.version, Backend: u.backend, Calls: u.calls.add}, address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	u.power.on()
	t.Cleanup(u.power.off)
	u.realHost = newRealHostAt(t, cli, "http://"+u.power.address)
	if u.pairs() {
		u.script = filepath.Join(u.home, "openshell.json")
		u.env = append(u.env, "OPENSHELL_STANDIN="+u.script)
	}
	t.Cleanup(func() { u.sweep() })
	u.oldID = u.build("one")
	u.create()
	if state == "exited" {
		u.halt()
	}
	if u.keepsOld {
		kept := u.image + "-old"
		u.must(u.engine.client.ImageTag(t.Context(), u.image, kept))
		t.Cleanup(func() { _, _ = u.engine.client.ImageRemove(context.Background(), kept, image.RemoveOptions{}) })
	}
	u.newID = u.build("two")
	return u
}

// drive makes the sandboxes of the gateway containers of its own.
func (u *upgradeHost) drive(command ...string) {
	u.t.Helper()
	home := u.t.TempDir()
	u.must(errors.Join(os.Chown(home, u.owner, u.owner), os.Chmod(filepath.Dir(home), 0o755)))
	u.driver = &gateway.Docker{
		Client: u.engine.client, Version: u.version, Namespace: "e2e-" + u.name, Home: home,
		Supervisor: supervisorFile(u.t, u.version), Endpoint: "http://host.openshell.internal:17670/",
		EnableBindMounts: true,
	}
	if u.pairs() {
		u.driver.SupervisorImage = u.supervisorImage()
	}
	u.driver.Runs(command...)
	if err := u.driver.Open(u.t.Context()); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { u.must(u.driver.Close()) })
}

// supervisorImage makes the image of companions.
func (u *upgradeHost) supervisorImage() (reference string) {
	u.t.Helper()
	program, err := os.ReadFile(u.driver.Supervisor)
	u.must(err)
	reference = "e2e-" + u.name + "/supervisor:1"
	u.engine.buildWith(reference, []string{`ENTRYPOINT ["/openshell-supervisor"]`}, entry{name: "openshell-supervisor", mode: 0o755, content: string(program)})
	u.t.Cleanup(func() {
		_, _ = u.engine.client.ImageRemove(context.Background(), reference, image.RemoveOptions{Force: true})
	})
	return reference
}

// pairs reports whether its sandboxes are pairs of containers.
func (u *upgradeHost) pairs() bool { return gateway.GenerationOf(u.version) == gateway.Timestamps }

// tell has the stand-in list what the gateway has.
func (u *upgradeHost) tell() {
	u.t.Helper()
	if u.script != "" {
		tellStandIn(u.t, u.script, u.driver, openshell.Gateway{Name: "nemoclaw", Endpoint: "http://" + u.power.address, Active: true})
	}
}

// halt stops the sandbox through its gateway.
func (u *upgradeHost) halt() {
	u.t.Helper()
	_, err := u.driver.SetPhase(u.t.Context(), u.name, gateway.Stopped)
	u.must(err)
}

// create makes the sandbox and gives it its home. Its spec has a field that no generation has yet.
func (u *upgradeHost) create() {
	u.t.Helper()
	spec := gateway.Sandbox{Image: u.image, Environment: map[string]string{"MODE": "careful"}}.NewSpec(u.version)
	u.spec = append(spec, protoText(15, "from the future")...)
	u.createFromSpec()
}

// createFromSpec waits until the sandbox is there: its spec has the policy in it by then that its supervisor took.
func (u *upgradeHost) createFromSpec() {
	u.t.Helper()
	if _, err := u.driver.Create(u.t.Context(), gateway.Sandbox{Name: u.name, Spec: u.spec}); err != nil {
		u.t.Fatal(err)
	}
	var now gateway.Sandbox
	if _, ready := waitFor(waitLimit, func() bool { now = u.listed(); return now.Phase == gateway.Ready }); !ready {
		u.t.Fatalf("sandbox %s is %s: %s: %s", u.name, now.Phase, now.Reason, now.Message)
	}
	u.spec = now.Spec
	u.fill()
}

// listed is the sandbox as its gateway has it, the zero one when it has none.
func (u *upgradeHost) listed() gateway.Sandbox {
	u.t.Helper()
	all, err := u.driver.List(context.Background())
	u.must(err)
	for _, s := range all {
		if s.Name == u.name {
			return s
		}
	}
	return gateway.Sandbox{}
}

// fill gives the sandbox its home.
func (u *upgradeHost) fill() {
	u.t.Helper()
	c := u.only()
	u.engine.put(c.ID, home()...)
	u.files = u.engine.now(c.ID)
}

// build makes the image under the reference, with a file that tells it apart.
func (u *upgradeHost) build(mark string) (id string) {
	u.t.Helper()
	return u.buildWith(entry{name: strings.Trim(u.engine.workspace(), "/") + "/of-the-image", content: mark, mode: 0o644})
}

// buildWith makes an image under the reference. It has agents that misbehave: one that ends when it is told to, one that does not listen, one that
// does not live in a home with a file "big".
func (u *upgradeHost) buildWith(more ...entry) (id string) {
	u.t.Helper()
	more = append(more, entry{name: "bin/mortal", mode: 0o755, content: "#!/bin/sh\nwhile [ ! -e /tmp/end ]; do /bin/sleep 0.2; done\n"},
		entry{name: "bin/deaf", mode: 0o755, content: "#!/bin/sh\ntrap '' TERM\n/bin/sleep 600 &\nwait\n/bin/sleep 600\n"},
		entry{name: "bin/picky", mode: 0o755, content: "#!/bin/sh\n[ -e /sandbox/big ] && exit 1\ntrap 'exit 0' TERM\n/bin/sleep 600 &\nwait\n"})
	if home := strings.Trim(u.engine.workspace(), "/"); home != "sandbox" { // which every image has
		more = append([]entry{{name: home, dir: true, mode: 0o755, uid: 998}}, more...)
	}
	return u.engine.buildWith(u.image, []string{"USER sandbox", "WORKDIR " + u.engine.workspace()}, append(more, accounts("sandbox", u.engine.workspace())...)...)
}

// containers are those that pass for this sandbox.
func (u *upgradeHost) containers() []container.Summary {
	u.t.Helper()
	return slices.DeleteFunc(u.labelled(), func(c container.Summary) bool {
		role := c.Labels["openshell.ai/isolation-role"]
		return role != "" && role != "sandbox"
	})
}

// labelled are all that have its name, companions among them.
func (u *upgradeHost) labelled() []container.Summary {
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
	for _, c := range u.labelled() {
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
	if err != nil || !u.pairs() && !strings.Contains(strings.Join(inspected.Config.Env, " "), "MODE=careful") { // a pair's is in a file
		u.t.Errorf("its environment is %v, %v", inspected.Config.Env, err)
	}
}
