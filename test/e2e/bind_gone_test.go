package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// TestBackupWithoutTheSourceOfABind: once the source of a bind mount is gone, the engine's archive API gives nothing of the container,
// running or stopped, and Docker 20.10 says of every path that it is not there. The home is saved all the same, by the gateway's list and
// offline, through the file system and through the engine.
func TestBackupWithoutTheSourceOfABind(t *testing.T) {
	e := newEngine(t)
	h := newHost(t, "0.0.110")
	s := saved{"bound", gateway.NewID(), "paused"}
	reference := h.Gateway() + "/bound:1"
	e.image(reference)
	source := filepath.Join(t.TempDir(), "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	name := "openshell-default--bound-" + s.id
	e.create(name, container.Config{Image: reference, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": s.id, "openshell.ai/sandbox-name": "bound",
		"openshell.ai/sandbox-namespace": "default", "openshell.ai/sandbox-workspace": "default",
	}}, container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeBind, Source: source, Target: "/data"}}})
	if err := e.client.CopyToContainer(t.Context(), name, "/sandbox", archive(t, home()), container.CopyToContainerOptions{}); err != nil {
		t.Fatal(err)
	}
	h.Script.Sandboxes = []openshell.Sandbox{{Name: "bound", ID: s.id}}
	h.register("bound")
	h.installGateway("0.0.110")
	h.startGateway()
	e.start(name)
	if err := os.Remove(source); err != nil {
		t.Fatal(err)
	}
	if _, err := e.client.ContainerStatPath(t.Context(), name, "/sandbox"); err == nil {
		t.Fatal("the engine shows the home all the same: this tests nothing")
	}
	for _, state := range []string{"running", "stopped"} {
		if state == "stopped" {
			e.stop(name)
			s.consistency = "stopped"
		}
		for _, flags := range [][]string{nil, {"--offline"}, {"--way", "engine", "--reread"}, {"--way", "engine", "--reread", "--offline"}} {
			got := h.backUp([]saved{s}, append(flags, "--backup-dir", t.TempDir())...) // a first backup is one archive
			if got.ExitCode != 0 {
				t.Errorf("%s %q: exit %d, error %+v, result %+v", state, flags, got.ExitCode, got.Error, got.Result)
				continue
			}
			holds(t, got, []saved{s})
		}
	}
	h.backUp([]saved{s})
	refused := h.text("restore", "bound", "--yes", "--backup-dir", filepath.Join(h.Home, "backups"))
	if refused.exit == 0 || !strings.Contains(refused.stderr, "the engine shows nothing of the container, as it does when the source of one of its mounts is gone: ") ||
		!strings.Contains(refused.stderr, "Could not find the file") && !strings.Contains(refused.stderr, "bind source path does not exist") {
		t.Errorf("restore: exit %d\n%s", refused.exit, refused.stderr)
	}
}
