package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// TestPodmanPairIsSaved: the podman driver of 0.1.x keeps a home in a volume, and labels with openshell.managed (docs/facts/openshell-0.1.md
// 1.3). The pair is one sandbox, its home is what is saved, and nobody touches the companion.
func TestPodmanPairIsSaved(t *testing.T) {
	t.Setenv("DOCKER_HOST", startPodman(t, false))
	e, h := newEngine(t), newHost(t, "0.1.5")
	companionsAlone(t, e, "openshell.managed=true")
	name := "pod" + strconv.Itoa(h.Port)
	id := gateway.NewID()
	workload, companion := podmanPair(t, e, name, id)
	h.Script.Sandboxes = []openshell.Sandbox{{Name: name, ID: id}}
	before := startedAt(t, e, companion)
	for _, flags := range [][]string{nil, {"--offline"}} {
		got := h.backUp([]saved{{name: name}}, flags...)
		if got.ExitCode != 0 || got.Result == nil || len(got.Result.Sandboxes) != 1 {
			t.Fatalf("%q: exit %d: %+v, %+v", flags, got.ExitCode, got.Error, got.Result)
		}
		if len(flags) > 0 {
			continue // it stores what has changed
		}
		_, entries := unpack(t, archivePath(got.Result.Sandboxes[0].Backup.Path))
		if diff := cmp.Diff(only(wanted(), "notes", "big"), only(entries, "notes", "big")); diff != "" {
			t.Errorf("the archive differs from the home (-put +saved):\n%s", diff)
		}
		for path := range entries {
			if strings.Contains(path, "bootstrap.json") {
				t.Errorf("what is OpenShell's own is in the archive: %s", path)
			}
		}
	}
	if now := startedAt(t, e, companion); now != before || e.state(companion) != "running" || e.state(workload) != "running" {
		t.Errorf("the companion was started %s, then %s; it is %s, the workload %s", before, now, e.state(companion), e.state(workload))
	}
	// Stopped, both containers stay; of files in a volume Podman tells no owner then, and a backup without owners is none.
	must(t, e.client.ContainerStop(t.Context(), workload, container.StopOptions{}))
	must(t, e.client.ContainerKill(t.Context(), companion, "KILL")) // what stops one is looked for in the log
	waitFor(waitLimit, func() bool { return e.state(companion) == "exited" })
	got := h.backUp([]saved{{name: name}}, "--offline")
	if got.ExitCode == 0 || got.Result == nil || !strings.Contains(got.Result.Sandboxes[0].Reason, "owners of files in a volume") {
		t.Errorf("stopped: exit %d: %+v, %+v", got.ExitCode, got.Error, got.Result)
	}
	if e.state(companion) != "exited" {
		t.Errorf("the companion is %s", e.state(companion))
	}
}

// podmanPair makes the two containers of a sandbox as the podman driver does.
func podmanPair(t *testing.T, e *engine, name, id string) (workload, companion string) {
	t.Helper()
	workload, companion = "openshell-default--"+name+"-"+id, "openshell-supervisor-"+id
	labels := func(role string) map[string]string {
		return map[string]string{
			"openshell.managed": "true", "openshell.ai/sandbox-id": id, "openshell.ai/sandbox-name": name, "openshell.ai/sandbox-namespace": "",
			"openshell.ai/sandbox-workspace": "default", "openshell.ai/isolation-role": role,
		}
	}
	image, supervisor := "e2e-"+name+"/agent:1", "e2e-"+name+"/openshell/supervisor:0.1.5"
	e.build(image, entry{name: "bin/tar", link: "busybox"})
	e.build(supervisor)
	e.removeImageLater(image)
	e.removeImageLater(supervisor)
	idle := []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do /bin/sleep 600 & wait; done"}
	volume := func(kind, target string, readOnly bool) mount.Mount {
		source := map[string]string{"home": "openshell-sandbox-" + id + "-workspace", "channel": "openshell-channel-" + id}[kind]
		t.Cleanup(func() { _ = e.client.VolumeRemove(context.Background(), source, true) })
		return mount.Mount{Type: mount.TypeVolume, Source: source, Target: target, ReadOnly: readOnly}
	}
	e.create(workload, container.Config{Image: image, Cmd: idle, WorkingDir: "/", Labels: labels("sandbox")}, container.HostConfig{
		NetworkMode: "none", Mounts: []mount.Mount{volume("home", "/sandbox", false), volume("channel", "/.openshell/channel", false)},
	})
	e.create(companion, container.Config{Image: supervisor, Cmd: idle, Labels: labels("supervisor")}, container.HostConfig{
		NetworkMode: "host", Mounts: []mount.Mount{volume("channel", "/.openshell/channel", true)},
	})
	e.start(companion)
	e.start(workload)
	e.put(workload, home()...)
	e.putInto(workload, "/.openshell/channel", entry{name: "bootstrap.json", content: "{}", mode: 0o600})
	return workload, companion
}

// startedAt is when a container was last started.
func startedAt(t *testing.T, e *engine, name string) string {
	t.Helper()
	seen, err := e.client.ContainerInspect(t.Context(), name)
	must(t, err)
	return seen.State.StartedAt
}
