package e2e

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/test/e2e/gateway"
)

// upgradeHost is a host with a real openshell, a gateway that speaks gRPC, and one sandbox in a real container whose image has moved on.
type upgradeHost struct {
	realHost
	engine *engine
	driver *gateway.Docker
	name   string
	image  string // reference
	oldID  string // of the image that the sandbox was made from
	newID  string // of the one that the reference names now
	files  map[string]string
	spec   []byte
}

func newUpgradeHost(t *testing.T, state string) *upgradeHost {
	t.Helper()
	const version = "0.0.110"
	cli := realCLI(t, version)
	e := newEngine(t)
	u := &upgradeHost{engine: e, name: "up" + gateway.NewID()[:8], image: fmt.Sprintf("e2e%d/sandbox-from:1", freePort(t))}
	u.driver = &gateway.Docker{Client: e.client, Version: version, Namespace: "e2e-" + u.name,
		Command: []string{"/bin/sh", "-c", "trap 'exit 0' TERM; /bin/sleep 600 & wait"}}
	u.realHost = newRealHost(t, cli, &gateway.Server{Version: version, Backend: u.driver})
	t.Cleanup(func() { u.sweep() })
	u.oldID = u.build("one")
	spec := gateway.Sandbox{Image: u.image, Environment: map[string]string{"MODE": "careful"}}.NewSpec(version)
	// A field that no generation has yet. Its tag is one byte of ASCII: the test gateway keeps specs in a label.
	u.spec = protowire.AppendString(protowire.AppendTag(spec, 15, protowire.BytesType), "from the future")
	if _, err := u.driver.Create(t.Context(), gateway.Sandbox{Name: u.name, Spec: u.spec}); err != nil {
		t.Fatal(err)
	}
	c := u.only()
	if err := e.client.CopyToContainer(t.Context(), c.ID, "/sandbox", archive(t, home()), container.CopyToContainerOptions{CopyUIDGID: true}); err != nil {
		t.Fatal(err)
	}
	if state == "exited" {
		e.stop(c.ID)
	}
	u.newID = u.build("two")
	u.files = u.read(c.ID)
	return u
}

// build makes the image under the reference, with a file that tells it apart.
func (u *upgradeHost) build(mark string) (id string) {
	u.t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		u.t.Fatal(err)
	}
	rootfs := archive(u.t, []entry{
		{name: "bin/busybox", mode: 0o755, content: string(busybox)}, {name: "bin/sh", link: "busybox"}, {name: "bin/sleep", link: "busybox"},
		{name: "tmp", dir: true, mode: 0o1777}, {name: "sandbox", dir: true, mode: 0o755}, {name: "sandbox/of-the-image", content: mark, mode: 0o644},
	})
	out, err := u.engine.client.ImageImport(u.t.Context(), image.ImportSource{Source: rootfs, SourceName: "-"}, u.image, image.ImportOptions{})
	if err != nil {
		u.t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(io.Discard, out); err != nil {
		u.t.Fatal(err)
	}
	made, err := u.engine.client.ImageInspect(u.t.Context(), u.image)
	if err != nil {
		u.t.Fatal(err)
	}
	return made.ID
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

// read is the home in a container: of every entry what a copy must not change.
func (u *upgradeHost) read(id string) map[string]string {
	u.t.Helper()
	stream, _, err := u.engine.client.CopyFromContainer(u.t.Context(), id, "/sandbox")
	if err != nil {
		u.t.Fatal(err)
	}
	defer stream.Close()
	found := map[string]string{}
	for archive := tar.NewReader(stream); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			u.t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			u.t.Fatal(err)
		}
		found[h.Name] = fmt.Sprintf("%c %o %d:%d %s %d %.40q", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Linkname, len(content), content)
	}
}

// holds compares what there is now with what there was: one sandbox, one container, its state, its files, its recipe.
func (u *upgradeHost) holds(state, imageID string) {
	u.t.Helper()
	listed, err := u.driver.List(u.t.Context())
	if err != nil || len(listed) != 1 || listed[0].Name != u.name {
		u.t.Fatalf("the gateway lists %+v, %v, want the one sandbox", listed, err)
	}
	if forwards := imageID == u.newID; forwards && string(listed[0].Spec) != string(u.spec) {
		u.t.Errorf("its spec is %q, want %q as it was", listed[0].Spec, u.spec)
	} else if !strings.Contains(string(listed[0].Spec), "from the future") {
		u.t.Errorf("its spec has lost the field from the future: %q", listed[0].Spec)
	}
	c := u.only()
	if c.State != state || imageID != "" && c.ImageID != imageID {
		u.t.Errorf("the container is %s and runs from %s, want %s from %s", c.State, c.ImageID, state, imageID)
	}
	if diff := cmp.Diff(u.files, u.read(c.ID)); diff != "" {
		u.t.Errorf("the home (-before +now):\n%s", diff)
	}
	inspected, err := u.engine.client.ContainerInspect(u.t.Context(), c.ID)
	if err != nil || !strings.Contains(strings.Join(inspected.Config.Env, " "), "MODE=careful") {
		u.t.Errorf("its environment is %v, %v", inspected.Config.Env, err)
	}
}

// upgradeDocument is what upgrade-sandboxes prints.
type upgradeDocument struct {
	ExitCode int
	Error    *struct{ Kind, Message, Hint string }
	Result   *struct {
		Totals    map[string]int
		Sandboxes []struct {
			Name, Outcome, Step, Reason, Backup, RollbackImage string
			Unfinished                                         bool
			Warnings                                           []string
		}
	}
}

func (u *upgradeHost) arguments(args ...string) []string {
	return append([]string{filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--only", u.name, "--settle", "300ms", "--yes", "--allow-unverified", "--json"}, args...)
}

func (u *upgradeHost) upgrade(args ...string) upgradeDocument {
	u.t.Helper()
	argv := u.arguments(args...)
	p := run(u.t, u.env, argv...)
	var d upgradeDocument
	if err := json.Unmarshal([]byte(p.stdout), &d); err != nil {
		u.t.Fatalf("%q: %v\n%s\n%s", argv, err, p.stdout, p.stderr)
	}
	if d.ExitCode != p.exit {
		u.t.Errorf("it exits %d and says %d", p.exit, d.ExitCode)
	}
	return d
}

func TestUpgradeOverRealContainers(t *testing.T) {
	for _, state := range []string{"running", "exited"} {
		t.Run(state, func(t *testing.T) {
			u := newUpgradeHost(t, state)
			got := u.upgrade()
			if got.ExitCode != 0 || got.Result == nil || got.Result.Totals["upgraded"] != 1 {
				t.Fatalf("upgrade: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
			}
			u.holds(state, u.newID)
			if again := u.upgrade(); again.ExitCode != 0 || again.Result.Totals["current"] != 1 {
				t.Errorf("a second time: exit %d, error %+v, result %+v", again.ExitCode, again.Error, again.Result)
			}
		})
	}
}

// TestUpgradeAsksFirst leaves the answer to a person: without a terminal nothing happens.
func TestUpgradeAsksFirst(t *testing.T) {
	u := newUpgradeHost(t, "running")
	before := u.only().ID
	p := run(t, u.env, filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--only", u.name, "--allow-unverified")
	if p.exit != 2 || !strings.Contains(p.stderr, "--yes") || !strings.Contains(p.stderr, u.name+": running; from "+u.image) {
		t.Errorf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	if now := u.only().ID; now != before {
		t.Errorf("container %s was replaced by %s", before, now)
	}
	u.holds("running", u.oldID)
}

// upgradeStages are the words at which a run is killed.
func upgradeStages() []string {
	return []string{
		"planned", "preconditions", "stopping", "stopped", "backing-up", "backed-up", "keeping-image", "image-kept", "deleting", "deleted", "creating",
		"created", "waiting", "ready", "settling", "settled", "restoring", "restored", "comparing", "compared", "starting", "started", "finishing",
	}
}

// TestUpgradeKilledAtEveryStage kills real runs with kill -9 as soon as they say a stage, and finishes or takes back what is left.
// SANDKEEPER_KILL_ROUNDS=all kills at every stage, both ways; else at a few.
func TestUpgradeKilledAtEveryStage(t *testing.T) {
	chosen := []string{"backed-up", "deleting", "creating", "restoring", "starting"}
	if os.Getenv("SANDKEEPER_KILL_ROUNDS") == "all" {
		chosen = upgradeStages()
	}
	for _, stage := range chosen {
		for _, then := range []string{"--resume", "--rollback"} {
			t.Run(stage+", then "+then, func(t *testing.T) {
				u := newUpgradeHost(t, "running")
				u.killAt(stage)
				touched := stage != "planned" && stage != "preconditions"
				if refused := u.upgrade(); touched && (refused.ExitCode != 1 || refused.Error == nil || !strings.Contains(refused.Error.Hint, "--resume") || !strings.Contains(refused.Error.Hint, "--rollback")) {
					t.Fatalf("a plain run over an unfinished one: exit %d, %+v", refused.ExitCode, refused.Error)
				} else if !touched {
					u.holds("running", u.newID)
					return
				}
				got := u.upgrade(then)
				if got.ExitCode != 0 || got.Result == nil || len(got.Result.Sandboxes) != 1 {
					t.Fatalf("%s: exit %d, error %+v, result %+v", then, got.ExitCode, got.Error, got.Result)
				}
				want := map[string]string{"upgraded": u.newID}[got.Result.Sandboxes[0].Outcome]
				u.holds("running", want)
				t.Logf("killed at %s, %s: %s", stage, then, got.Result.Sandboxes[0].Outcome)
			})
		}
	}
}

// killAt starts an upgrade and kills it when it says that it is at a stage.
func (u *upgradeHost) killAt(stage string) {
	u.t.Helper()
	argv := u.arguments()
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var printed bytes.Buffer
	child.Env, child.Stdout = u.env, &printed
	said, err := child.StderrPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		u.t.Fatal(err)
	}
	var all bytes.Buffer
	for lines := bufio.NewScanner(io.TeeReader(said, &all)); lines.Scan(); {
		if lines.Text() == u.name+": "+stage {
			_ = child.Process.Kill()
			break
		}
	}
	_, _ = io.Copy(io.Discard, said)
	err = child.Wait()
	exited, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exited.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		u.t.Fatalf("it was not killed at %s: %v\n%s%s", stage, err, all.String(), printed.String())
	}
}
