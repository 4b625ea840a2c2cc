package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

// kindOfEngine is one of the container engines of the matrix.
type kindOfEngine struct {
	name    string
	address func(t *testing.T) string
	running string // how a running sandbox is read
	network bool   // sandboxes can have a network, as those of a gateway want
}

func kindsOfEngine() []kindOfEngine {
	return []kindOfEngine{
		{"Docker", func(*testing.T) string { return engineAddress() }, "paused", true},
		{"rootful Podman", func(t *testing.T) string { return startPodman(t, false) }, "paused", true},
		{"rootless Podman", func(t *testing.T) string { return startPodman(t, true) }, "live", false},
	}
}

// Promise: what works with Docker works with Podman, rootful and rootless; where an engine cannot do a part of it, that is said.
func TestEveryEngine(t *testing.T) {
	for _, kind := range kindsOfEngine() {
		t.Run(kind.name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", kind.address(t))
			t.Run("backup and offline", func(t *testing.T) { backsUp(t, kind) })
			t.Run("a home in a volume", func(t *testing.T) { backsUpAVolume(t, kind) })
			t.Run("restore", TestRestoreIntoSameAndOther)
			t.Run("upgrade", func(t *testing.T) {
				if !kind.network {
					t.Skip("a gateway's sandbox wants a network, and a rootless one slirp4netns, which is not used here")
				}
				u := newUpgradeHost(t, "running")
				u.outcome(u.upgrade(), 0, "upgraded")
				u.holds("running", u.newID)
			})
		})
	}
}

// backsUp saves a running and a stopped sandbox byte for byte, owners included, with and without the gateway.
func backsUp(t *testing.T, kind kindOfEngine) {
	h, all := situation(t, "0.0.110", "0.0.110")
	all[0].consistency = kind.running
	for _, flags := range [][]string{nil, {"--offline"}} {
		must(t, os.RemoveAll(filepath.Join(h.Home, "backups"))) // the first of a series is an archive
		got := h.backUp(all, flags...)
		if got.ExitCode != 0 {
			t.Fatalf("%q: exit %d: %+v", flags, got.ExitCode, got.Error)
		}
		holds(t, got, all)
	}
	if kind.running == "paused" {
		return
	}
	said := h.text("backups", "show", all[0].name, "latest", "--backup-dir", h.Home+"/backups")
	if !strings.Contains(said.stdout, "cgroup") {
		t.Errorf("nothing says why it was not paused:\n%s%s", said.stdout, said.stderr)
	}
}

// backsUpAVolume: the podman driver keeps the home in a volume, whose owners Podman's archive does not tell.
func backsUpAVolume(t *testing.T, kind kindOfEngine) {
	e := newEngine(t)
	h := newHost(t, "0.0.110")
	name := "vol" + strconv.Itoa(h.Port)
	reference := "e2e" + strconv.Itoa(h.Port) + "/sandbox-from:1"
	e.build(reference, entry{name: "bin/tar", link: "busybox"})
	e.removeImageLater(reference)
	e.create("c-"+name, container.Config{Image: reference, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": "id-" + name, "openshell.ai/sandbox-name": name,
	}}, container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "home-" + name, Target: "/sandbox"}}})
	t.Cleanup(func() { _ = e.client.VolumeRemove(t.Context(), "home-"+name, true) })
	e.start("c-" + name)
	e.put("c-"+name, home()...)
	got := h.backUp([]saved{{name: name}}, "--offline")
	if got.ExitCode != 0 || got.Result == nil || len(got.Result.Sandboxes) != 1 {
		t.Fatalf("exit %d: %+v, %+v", got.ExitCode, got.Error, got.Result)
	}
	_, entries := unpack(t, archivePath(got.Result.Sandboxes[0].Backup.Path))
	if diff := cmp.Diff(only(wanted(), "notes", "big"), only(entries, "notes", "big")); diff != "" { // not which of two hard links comes first
		t.Errorf("the archive differs from the home (-put +saved):\n%s", diff)
	}
	back := h.text("restore", name, "--backup-dir", h.Home+"/backups", "--yes")
	switch podman := kind.name != "Docker"; {
	case !podman && back.exit != 0, podman && (back.exit != 1 || !strings.Contains(back.stderr, "nothing was stopped or changed: /sandbox is mounted: the owners of files in a volume")):
		t.Errorf("restore: exit %d\n%s%s", back.exit, back.stdout, back.stderr)
	case podman && strings.Contains(back.stderr, "stopping"):
		t.Errorf("it was stopped before it was refused:\n%s", back.stderr)
	}
}
