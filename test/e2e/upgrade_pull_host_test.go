package e2e

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

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
	u := &upgradeHost{version: version, engine: e, name: "pull" + gateway.NewID()[:8], image: p.registry.Address + "/" + pullRepository + ":2"}
	u.realHost.t = t
	u.drive()
	u.supervisors("0.0.100")
	u.realHost = newRealHost(t, cli, &gateway.Server{Version: version, Backend: u.driver})
	p.upgradeHost = u
	t.Cleanup(func() { u.sweep() })
	u.oldID = p.build("0.0.100")
	u.create()
	u.supervisors(version)
	u.newID = p.build(version)
	p.push()
	p.before = u.only()
	return p
}

// supervisors restarts the gateway's driver with a supervisor of that version, which the sandboxes have that are made from now on.
func (u *upgradeHost) supervisors(version string) {
	u.t.Helper()
	u.must(u.driver.Close())
	u.driver.Supervisor = supervisorFile(u.t, version)
	u.must(u.driver.Open(u.t.Context()))
}

// build makes the image under the reference, with a mark. The noise makes its layer worth downloading.
func (p *pullHost) build(mark string) (id string) {
	p.t.Helper()
	return p.buildWith(entry{name: "noise", content: noise(2), mode: 0o644}, entry{name: "of", content: p.name + mark, mode: 0o644})
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
	end := p.upgradeHost.during(stage, func(*os.Process) { do() })
	if want := `"pull": "` + p.digest + `"`; !strings.Contains(end.stdout, want) {
		p.t.Errorf("the result does not say %s:\n%s", want, end.stdout)
	}
	return p.decode(end.printed), end.stderr
}
