package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"sandkeeper/internal/dockertest"
	"sandkeeper/test/e2e/gateway"
)

// privateEngine is a container engine of this test's own, which may be killed.
type privateEngine struct {
	*engine
	host string
	kill func()
}

func newPrivateEngine(t *testing.T) *privateEngine {
	t.Helper()
	return startDocker(t, "dockerd", nil)
}

// newSmallEngine is one whose disk has so many megabytes.
func newSmallEngine(t *testing.T, megabytes int) *privateEngine {
	t.Helper()
	dir := engineFolder(t)
	data := filepath.Join(dir, "data")
	must(t, os.Mkdir(data, 0o700))
	if said, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "small", data).CombinedOutput(); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "root, to give a container engine a disk of its own: "+string(said))
	}
	return startDockerIn(t, dir, "dockerd", nil)
}

// engineFolder has a short name, for a socket's path may have 107 bytes. It goes with the engine that is started in it.
func engineFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "skd")
	must(t, err)
	return dir
}

// startDocker runs a container engine of this test's own: the named program, with these settings in its configuration file. The programs
// beside it go before those of the machine.
func startDocker(t *testing.T, dockerd string, settings map[string]any) *privateEngine {
	t.Helper()
	return startDockerIn(t, engineFolder(t), dockerd, settings)
}

func startDockerIn(t *testing.T, dir, dockerd string, settings map[string]any) *privateEngine {
	t.Helper()
	t.Cleanup(func() {
		_, _ = waitFor(time.Minute, func() bool { // its containerd follows it
			_ = exec.Command("umount", "-l", filepath.Join(dir, "data")).Run()
			return os.RemoveAll(dir) == nil
		})
	})
	program, err := exec.LookPath(dockerd)
	if err != nil || os.Geteuid() != 0 {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "root and dockerd, to run a container engine that may be killed")
	}
	apart, err := exec.LookPath("unshare")
	if err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "unshare, to keep a private container engine's network apart")
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	log, err := os.Create(at("log"))
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := json.Marshal(settings)
	must(t, err)
	must(t, os.WriteFile(at("daemon.json"), configuration, 0o600))
	// In a network of its own: a daemon without a bridge removes docker0, which is the shared daemon's.
	daemon := exec.Command(apart, "--net", "--", program, "--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid"),
		"-H", "unix://"+at("sock"), "--config-file", at("daemon.json"), "--bridge=none", "--iptables=false", "--ip-masq=false")
	beside := filepath.Dir(program)
	daemon.Env = append(os.Environ(), "PATH="+beside+":"+filepath.Join(beside, "../bin")+":"+os.Getenv("PATH"))
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		_ = daemon.Process.Signal(syscall.SIGKILL)
		_ = daemon.Wait()
	}
	t.Cleanup(func() {
		kill()
		log.Close()
	})
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+at("sock")), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, up := waitFor(waitLimit, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Ping(ctx)
		return err == nil
	})
	if !up {
		said, _ := os.ReadFile(at("log"))
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", fmt.Sprintf("the right to run a second dockerd:\n%s", said))
	}
	return &privateEngine{engine: &engine{t: t, client: c}, host: "unix://" + at("sock"), kill: kill}
}

// The container engine dies in the middle of a read that goes through it: that is said, the run ends, and nothing half is visible.
func TestEngineKilledInMidRead(t *testing.T) {
	private := newPrivateEngine(t)
	t.Setenv("DOCKER_HOST", private.host)
	p := &patient{host: newHost(t, "0.0.110"), engine: private.engine}
	p.name = fmt.Sprintf("orphan%d", p.Port)
	private.bare(p.name, entry{name: "sandbox/noise", content: noise(96), mode: 0o600})
	run := p.heldInMidFile(p.save("--stall-limit", "10s", "--way", "engine")...)
	private.kill()
	run.signal(syscall.SIGCONT)
	out := run.end()
	if out.exit != 1 || !strings.Contains(out.stdout, "0 backed up, 1 failed") || !strings.Contains(out.stdout, p.name) {
		t.Errorf("exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	t.Logf("said: %s", strings.SplitN(out.stdout, "\n", 2)[0])
	if left := p.litter(); len(left) > 0 || len(p.listed()) != 0 {
		t.Errorf("litter %v, backups %v", left, p.listed())
	}
}

// staged is how many bytes there are of a backup that is being made.
func (p *patient) staged() int64 {
	archives, _ := filepath.Glob(filepath.Join(p.backups(), p.name, ".tmp-*", "archive*"))
	for _, path := range archives {
		if info, err := os.Stat(path); err == nil {
			return info.Size()
		}
	}
	return 0
}

// bare makes a sandbox that is not cleaned up after: this engine goes away with everything in it.
func (e *privateEngine) bare(name string, files ...entry) {
	e.t.Helper()
	e.build("bare:1", files...)
	_, err := e.client.ContainerCreate(e.t.Context(), &container.Config{Image: "bare:1", Cmd: []string{"/bin/sh"}, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": gateway.NewID(), "openshell.ai/sandbox-name": name,
		"openshell.ai/sandbox-namespace": "default",
	}}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "openshell-"+name)
	if err != nil {
		e.t.Fatal(err)
	}
}

// pretend is a host whose engine is played, with two running sandboxes.
func pretend(t *testing.T) (*patient, *dockertest.Daemon, string) {
	t.Helper()
	d := dockertest.Start(t)
	t.Setenv("DOCKER_HOST", d.Host())
	p := &patient{host: newHost(t, "0.0.110"), name: "alpha"}
	var first string
	for _, name := range []string{"alpha", "beta"} {
		id := d.Add(dockertest.Container{Name: "openshell-" + name, Image: "sandbox:1", Labels: map[string]string{
			"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-name": name, "openshell.ai/sandbox-id": "id-" + name, "openshell.ai/sandbox-namespace": "default",
		}, Files: []dockertest.File{{Path: "/sandbox/notes.md", Data: []byte("memory\n")}, {Path: "/sandbox/noise", Data: []byte(noise(1))}}})
		if first == "" {
			first = id
		}
	}
	return p, d, first
}

// The connection to the engine is cut after so many bytes, falls silent, or never stops sending: that sandbox has failed with a reason, the other one is
// saved, nothing half is visible, and both go on.
func TestEngineCutOrSilent(t *testing.T) {
	for _, c := range []struct {
		fault dockertest.Fault
		says  string
	}{
		{dockertest.Fault{Cut: 1}, "broke off"},
		{dockertest.Fault{Cut: 700}, "broke off"},
		{dockertest.Fault{Cut: 4096}, "broke off"},
		{dockertest.Fault{Cut: 500_000}, "broke off"},
		{dockertest.Fault{Cut: 1<<20 + 2000}, "broke off"},
		{dockertest.Fault{Hang: true}, "no byte came for 2s"},
		{dockertest.Fault{GoesOn: make([]byte, 64<<10)}, "it goes on behind its end mark"},
		{dockertest.Fault{GoesOn: []byte{0}, Every: 200 * time.Millisecond}, "it goes on behind its end mark"},
	} {
		p, d, id := pretend(t)
		c.fault.Call = "GET /containers/" + id + "/archive"
		d.Break(c.fault)
		limit := "1m"
		if c.fault.Hang || c.fault.Every > 0 {
			limit = "2s"
		}
		both := p.sandkeeper("backup-all", "--offline", "--stall-limit", limit)
		if both.ExitCode != 3 || both.Result.Totals["backedUp"] != 1 || both.Result.Totals["failed"] != 1 {
			t.Fatalf("%+v: exit %d, %v", c.fault, both.ExitCode, both.Result.Totals)
		}
		for _, s := range both.Result.Sandboxes {
			if s.Name == "alpha" && !strings.Contains(s.Reason, c.says) || s.Name == "beta" && s.Status != "backed_up" {
				t.Errorf("%+v: %s is %s: %s", c.fault, s.Name, s.Status, s.Reason)
			}
		}
		if alone := p.sandkeeper(p.save("--stall-limit", limit)...); alone.ExitCode != 1 {
			t.Errorf("%+v: alone: exit %d", c.fault, alone.ExitCode)
		}
		for _, name := range []string{"openshell-alpha", "openshell-beta"} {
			if now, _ := d.Get(name); now.State != "running" {
				t.Errorf("%+v: %s is %s", c.fault, name, now.State)
			}
		}
		p.tidy()
		p.sound()
		d.Heal()
		if again := p.sandkeeper("backup-all", "--offline"); again.ExitCode != 0 {
			t.Errorf("%+v: healed: exit %d", c.fault, again.ExitCode)
		}
	}
}

// A write that breaks in the middle of a restore puts the old content back and brings the container up again.
func TestRestoreWriteFails(t *testing.T) {
	p, d, id := pretend(t)
	if out := p.text(p.save()...); out.exit != 0 {
		t.Fatalf("exit %d\n%s", out.exit, out.stderr)
	}
	before, _ := d.Get(id)
	d.Break(dockertest.Fault{Call: "PUT /containers/" + id + "/archive", Times: 1, Status: 500, Body: `{"message":"no space left on device"}`})
	out := p.text("restore", "alpha", "--yes")
	if out.exit != 1 || !strings.Contains(out.stderr, "no space left on device") || !strings.Contains(out.stderr, "what was there before is in place again") {
		t.Errorf("exit %d\n%s", out.exit, out.stderr)
	}
	after, _ := d.Get(id)
	for _, f := range before.Files {
		found := false
		for _, g := range after.Files {
			found = found || g.Path == f.Path && string(g.Data) == string(f.Data)
		}
		if !found {
			t.Errorf("%s is not what it was", f.Path)
		}
	}
	if after.State != "running" {
		t.Errorf("the container is %s", after.State)
	}
	p.tidy()
}
