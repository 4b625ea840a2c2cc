package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/internal/registrytest"
	"sandkeeper/test/e2e/gateway"
)

// pullHost is an upgradeHost whose sandbox has an old supervisor, and whose new image is in a registry only.
type pullHost struct {
	*upgradeHost
	registry *registrytest.Registry
	digest   string // of the new image's manifest
	before   container.Summary
}

const pullRepository = "e2e/box"

func newPullHost(t *testing.T) *pullHost {
	t.Helper()
	const version = "0.0.110"
	cli, e := realCLI(t, version), newEngine(t)
	p := &pullHost{registry: registrytest.Start(t)}
	u := &upgradeHost{engine: e, name: "pull" + gateway.NewID()[:8], image: p.registry.Address + "/" + pullRepository + ":2"}
	u.driver = &gateway.Docker{
		Client: e.client, Version: version, Namespace: "e2e-" + u.name,
		Command: []string{"/bin/sh", "-c", "trap 'exit 0' TERM; /bin/sleep 600 & wait"},
	}
	u.realHost = newRealHost(t, cli, &gateway.Server{Version: version, Backend: u.driver})
	p.upgradeHost = u
	t.Cleanup(func() { u.sweep() })
	u.oldID = p.build("0.0.100")
	spec := gateway.Sandbox{Image: u.image, Environment: map[string]string{"MODE": "careful"}}.NewSpec(version)
	u.spec = protowire.AppendString(protowire.AppendTag(spec, 15, protowire.BytesType), "from the future")
	if _, err := u.driver.Create(t.Context(), gateway.Sandbox{Name: u.name, Spec: u.spec}); err != nil {
		t.Fatal(err)
	}
	c := u.only()
	if err := e.client.CopyToContainer(t.Context(), c.ID, "/sandbox", archive(t, home()), container.CopyToContainerOptions{CopyUIDGID: true}); err != nil {
		t.Fatal(err)
	}
	u.newID = p.build(version)
	p.push()
	u.files, p.before = u.read(c.ID), u.only()
	return p
}

// build makes the image under the reference, with a supervisor of that version. The noise makes its layer worth downloading.
func (p *pullHost) build(supervisor string) (id string) {
	p.t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		p.t.Fatal(err)
	}
	rootfs := archive(p.t, []entry{
		{name: "bin/busybox", mode: 0o755, content: string(busybox)},
		{name: "bin/sh", link: "busybox"},
		{name: "bin/sleep", link: "busybox"},
		{name: "tmp", dir: true, mode: 0o1777},
		{name: "sandbox", dir: true, mode: 0o755},
		{name: "noise", content: noise(2), mode: 0o644},
		{name: "of", content: p.name + supervisor, mode: 0o644},
		{name: "opt/openshell/bin/openshell-sandbox", content: "#!/bin/sh\necho openshell-sandbox " + supervisor + "\n", mode: 0o755},
	})
	out, err := p.engine.client.ImageImport(p.t.Context(), image.ImportSource{Source: rootfs, SourceName: "-"}, p.image, image.ImportOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(io.Discard, out); err != nil {
		p.t.Fatal(err)
	}
	made, err := p.engine.client.ImageInspect(p.t.Context(), p.image)
	if err != nil {
		p.t.Fatal(err)
	}
	return made.ID
}

// push moves the image from the engine to the registry.
func (p *pullHost) push() {
	p.t.Helper()
	push := func(ctx context.Context, ref string) (io.ReadCloser, error) {
		return p.engine.client.ImagePush(ctx, ref, image.PushOptions{RegistryAuth: "e30="})
	}
	if err := registrytest.Push(p.t.Context(), push, p.image); err != nil {
		p.t.Fatal(err)
	}
	p.digest = p.registry.Digest(pullRepository, "2")
	p.forget()
	if p.here() {
		p.t.Fatal("the image is on this host still")
	}
}

func (p *pullHost) forget() {
	if _, err := p.engine.client.ImageRemove(context.Background(), p.image, image.RemoveOptions{Force: true}); err != nil {
		p.t.Error(err)
	}
}

func (p *pullHost) here() bool {
	_, err := p.engine.client.ImageInspect(context.Background(), p.image)
	return err == nil
}

// untouched asserts that the sandbox is the one that was there, and has run on.
func (p *pullHost) untouched() {
	p.t.Helper()
	p.holds("running", p.oldID)
	now := p.only()
	seen, err := p.engine.client.ContainerInspect(p.t.Context(), now.ID)
	if err != nil || now.ID != p.before.ID || seen.RestartCount != 0 || !seen.State.Running || seen.State.FinishedAt != "0001-01-01T00:00:00Z" {
		p.t.Errorf("container %s became %s, state %+v, %v; want it untouched", p.before.ID, now.ID, seen.State, err)
	}
	if backups, _ := filepath.Glob(filepath.Join(p.home, ".local/share/sandkeeper/backups/*/*")); len(backups) > 0 {
		p.t.Errorf("it was backed up: %q", backups)
	}
}

// during runs an upgrade and does something at the moment when it says a stage.
func (p *pullHost) during(stage string, do func()) (upgradeDocument, string) {
	p.t.Helper()
	argv := p.arguments()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout strings.Builder
	child.Env, child.Stdout = p.env, &stdout
	said, err := child.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		p.t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(io.TeeReader(said, &all)); lines.Scan(); {
		if lines.Text() == p.name+": "+stage {
			do()
		}
	}
	_ = child.Wait()
	var d upgradeDocument
	if err := json.Unmarshal([]byte(stdout.String()), &d); err != nil || d.Result == nil || len(d.Result.Sandboxes) != 1 {
		p.t.Fatalf("%v\n%s\n%s", err, stdout.String(), all.String())
	}
	return d, all.String()
}

func TestPullOfAnImageThatIsOnlyInItsRegistry(t *testing.T) {
	p := newPullHost(t)
	pushed := len(p.registry.Calls())
	if got := p.upgrade("--check"); got.ExitCode != 4 || got.Result.Totals["stale"] != 1 || p.here() || len(p.registry.Calls()) != pushed {
		t.Errorf("--check: exit %d, %+v, image here: %v, registry asked %q", got.ExitCode, got.Result, p.here(), p.registry.Calls()[pushed:])
	}
	plan := run(t, p.env, filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--only", p.name, "--allow-unverified")
	want := p.name + ": running; from " + p.image + ", which is not on this host and is pulled first (" + p.digest + ")"
	if plan.exit != 2 || !strings.Contains(plan.stderr, want) || p.here() {
		t.Errorf("the plan: exit %d, image here: %v\n%s\nwant %q", plan.exit, p.here(), plan.stderr, want)
	}
	p.untouched()

	got, said := p.during("pulling", func() { p.untouched() })
	if got.ExitCode != 0 || got.Result.Totals["upgraded"] != 1 || !strings.Contains(said, p.name+": pulled\n"+p.name+": stopping\n") {
		t.Fatalf("exit %d, error %+v, result %+v\n%s", got.ExitCode, got.Error, got.Result, said)
	}
	p.holds("running", p.newID)
	if again := p.upgrade(); again.ExitCode != 0 || again.Result.Totals["current"] != 1 {
		t.Errorf("a second time: exit %d, error %+v, result %+v", again.ExitCode, again.Error, again.Result)
	}
}

func TestPullIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	p := newPullHost(t)
	text := func() printed {
		return run(t, p.env, filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--only", p.name, "--yes", "--allow-unverified", "--settle", "300ms")
	}
	refused := func(says, fix string) {
		t.Helper()
		got := text()
		if got.exit != 1 || !strings.Contains(got.stdout, `nothing was touched; image: image "`+p.image+`" is not on this host, and cannot be pulled: `+says) || !strings.Contains(got.stdout, "; "+fix+"\n") {
			t.Errorf("exit %d\n%s%s\nwant %q and %q", got.exit, got.stdout, got.stderr, says, fix)
		}
		if p.here() {
			t.Error("it was pulled")
		}
		p.untouched()
	}
	p.registry.Demand("ann", "s3cret")
	refused("the registry does not let us in: ", "docker login "+p.registry.Address)
	config := filepath.Join(p.home, ".docker/config.json")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, `{"auths": {"`+p.registry.Address+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte("ann:guess"))+`"}}}`)
	refused("the registry does not let us in: ", "docker login "+p.registry.Address)

	// The password comes from a helper from now on.
	bin := t.TempDir()
	helper := filepath.Join(bin, "docker-credential-e2e")
	if err := os.WriteFile(helper, []byte("#!/bin/sh\nread server\necho \"{\\\"Username\\\":\\\"ann\\\",\\\"Secret\\\":\\\"s3cret\\\"}\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, config, `{"credHelpers": {"`+p.registry.Address+`": "e2e"}}`)
	p.env = append(p.env, "PATH="+filepath.Dir(p.openshell)+":"+bin+":/usr/bin:/bin")
	p.registry.Forget(pullRepository, "2")
	refused("the registry does not have it: manifest unknown", "docker pull "+p.image)

	if err := p.registry.Tag(pullRepository, "2", p.digest); err != nil {
		t.Fatal(err)
	}
	got := text()
	if got.exit != 0 || strings.Contains(got.stdout+got.stderr, "s3cret") {
		t.Fatalf("with tag and password: exit %d\n%s%s", got.exit, got.stdout, got.stderr)
	}
	p.holds("running", p.newID)
}

func TestPullFromARegistryThatDied(t *testing.T) {
	moments := map[string]time.Duration{"between plan and pull": 0}
	if os.Getenv("SANDKEEPER_KILL_ROUNDS") == "all" {
		moments["in the middle of a layer"] = 500 * time.Millisecond // Docker tries again for 75 s
	}
	for name, after := range moments {
		t.Run(name, func(t *testing.T) {
			p := newPullHost(t)
			p.registry.Hold(1 << 20)
			greetings := 0
			p.registry.Before(func(call string) {
				if call != "GET /v2/" {
					return
				}
				if greetings++; greetings != 2 { // the first is the question whether it has the image
					return
				}
				if after == 0 {
					p.registry.Close()
					return
				}
				time.AfterFunc(after, p.registry.Close)
			})
			p.died()
		})
	}
}

func (p *pullHost) died() {
	p.t.Helper()
	got, said := p.during("pulling", func() {})
	one := got.Result.Sandboxes[0]
	if got.ExitCode != 1 || one.Outcome != "failed" || one.Step != "pulling" || one.Unfinished || !strings.Contains(one.Reason, `pulling image "`+p.image+`": the registry cannot be reached: `) {
		p.t.Errorf("exit %d, outcome %+v, want it failed at pulling\n%s", got.ExitCode, one, said)
	}
	p.untouched()
	if again := p.upgrade("--resume"); again.ExitCode != 0 || len(again.Result.Sandboxes) != 0 {
		p.t.Errorf("something is left in the journal: %+v", again.Result)
	}
}

func TestPullKilled(t *testing.T) {
	for then, want := range map[string]string{"--resume": "upgraded", "--rollback": "rolled_back"} {
		for _, stage := range []string{"pulling", "pulled"} {
			t.Run(stage+", then "+then, func(t *testing.T) { newPullHost(t).killed(stage, then, want) })
		}
	}
}

func (p *pullHost) killed(stage, then, want string) {
	p.t.Helper()
	release := func() {}
	if stage == "pulling" {
		release = p.registry.Hold(1 << 20)
	}
	p.killAt(stage)
	if stage == "pulling" {
		p.untouched()
	}
	if p.here() != (stage == "pulled") {
		p.t.Fatalf("killed at %s, the image is here: %v", stage, p.here())
	}
	if refused := p.upgrade(); refused.ExitCode != 1 || refused.Error == nil || !strings.Contains(refused.Error.Message, "not finished") || !strings.Contains(refused.Error.Hint, "--rollback") {
		p.t.Errorf("a plain run over an unfinished one: exit %d, %+v", refused.ExitCode, refused.Error)
	}
	release()
	got := p.upgrade(then)
	if got.ExitCode != 0 || len(got.Result.Sandboxes) != 1 || got.Result.Sandboxes[0].Outcome != want {
		p.t.Fatalf("%s: exit %d, error %+v, result %+v", then, got.ExitCode, got.Error, got.Result)
	}
	p.holds("running", map[string]string{"upgraded": p.newID, "rolled_back": p.oldID}[want])
}

// TestPulledImageThatIsPrunedMeanwhile takes the image away again before the sandbox is created from it.
func TestPulledImageThatIsPrunedMeanwhile(t *testing.T) {
	p := newPullHost(t)
	got, said := p.during("stopping", p.forget)
	one := got.Result.Sandboxes[0]
	if got.ExitCode != 1 || one.Outcome != "rolled_back" || one.Step != "creating" || !strings.Contains(one.Reason, p.image) {
		t.Fatalf("exit %d, outcome %+v\n%s", got.ExitCode, one, said)
	}
	p.holds("running", "")
}
