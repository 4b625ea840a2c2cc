package e2e

import (
	"context"
	"encoding/json"
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
	owner   int    // the user that engine and gateway run as
	forgets bool   // an image whose last name is given to another is gone

	indirect, indirectStopped string // why a running and a stopped sandbox are not read through the file system; "": they are
}

func kindsOfEngine() []kindOfEngine {
	return []kindOfEngine{
		{name: "Docker", address: func(*testing.T) string { return engineAddress() }, running: "paused"},
		{name: "Docker with the containerd image store", address: startContainerdStore, running: "paused", forgets: true, indirectStopped: "the engine does not say where the layers of a stopped container are"},
		{name: "rootful Podman", address: func(t *testing.T) string { return startPodman(t, false) }, running: "paused", indirectStopped: "the engine does not say which runtime it is of"},
		{name: "rootless Podman", address: func(t *testing.T) string { return startPodman(t, true) }, running: "live", owner: rootlessUser, indirect: `the storage driver is "vfs"`, indirectStopped: `the storage driver is "vfs"`},
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
			t.Run("upgrade", func(t *testing.T) { upgrades(t, kind) })
		})
	}
}

// upgrades replaces a running sandbox by one of the new image.
func upgrades(t *testing.T, kind kindOfEngine) {
	u := (&upgradeHost{version: trueVersion, owner: kind.owner, keepsOld: true}).begin(t, "running", nil)
	u.outcome(u.upgrade(), 0, "upgraded")
	u.holds("running", u.newID)
	if !kind.forgets {
		return
	}
	without := newUpgradeHost(t, "running")
	got := without.upgrade()
	if reason := got.Result.Sandboxes[0].Reason; got.ExitCode != 1 || !strings.Contains(reason, "the image that container") || !strings.Contains(reason, "nothing was touched") {
		t.Errorf("without the image that it was made from: exit %d, %s", got.ExitCode, reason)
	}
	without.holds("running", without.oldID)
}

// startContainerdStore runs a Docker that keeps images and layers in containerd's snapshotters, as new installations do. That of Debian 12
// is too old for it.
func startContainerdStore(t *testing.T) string {
	program, err := filepath.Abs("../../.cache/docker/usr/sbin/dockerd")
	must(t, err)
	if _, err := os.Stat(program); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_CONTAINERD_STORE", "a Docker with the containerd image store (test/e2e/fetch-docker.sh brings it)")
	}
	e := startDocker(t, program, map[string]any{"features": map[string]bool{"containerd-snapshotter": true}})
	seen, err := e.client.Info(t.Context())
	if must(t, err); seen.Driver != "overlayfs" {
		t.Fatalf("its storage driver is %s, not a snapshotter of containerd", seen.Driver)
	}
	return e.host
}

// backsUp saves a running and a stopped sandbox byte for byte, owners included, with and without the gateway.
func backsUp(t *testing.T, kind kindOfEngine) {
	h, all := situation(t, "0.0.110", "0.0.110")
	all[0].consistency = kind.running
	var last envelope
	for _, flags := range [][]string{nil, {"--offline"}} {
		must(t, os.RemoveAll(filepath.Join(h.Home, "backups"))) // the first of a series is an archive
		got := h.backUp(all, flags...)
		if got.ExitCode != 0 {
			t.Fatalf("%q: exit %d: %+v", flags, got.ExitCode, got.Error)
		}
		holds(t, got, all)
		last = got
	}
	kind.ways(t, h, last, all)
	if kind.running == "paused" {
		return
	}
	said := h.text("backups", "show", all[0].name, "latest", "--backup-dir", h.Home+"/backups")
	if !strings.Contains(said.stdout, "cgroup") {
		t.Errorf("nothing says why it was not paused:\n%s%s", said.stdout, said.stderr)
	}
}

// ways wants each sandbox to be read and written through the file system where this engine allows that, and elsewhere through the engine by
// itself; which way it was, and why, is said.
func (kind kindOfEngine) ways(t *testing.T, h *host, got envelope, all []saved) {
	t.Helper()
	for _, s := range got.Result.Sandboxes {
		want := kind.indirect
		if s.Name == all[1].name {
			want = kind.indirectStopped
		}
		way := "engine"
		if want == "" {
			way = "direct"
		}
		var document struct {
			Result struct{ Way, WayReason string }
		}
		out := h.text("restore", s.Name, "--backup-dir", h.Home+"/backups", "--yes", "--json")
		if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 {
			t.Fatalf("restore of %s: exit %d, %v\n%s%s", s.Name, out.exit, err, out.stdout, out.stderr)
		}
		for does, took := range map[string][2]string{"read": {s.Backup.Way, s.Backup.WayReason}, "written": {document.Result.Way, document.Result.WayReason}} {
			if took[0] != way || !strings.HasPrefix(took[1], want) || want == "" && took[1] != "" {
				t.Errorf("%s is %s through the %s (%s); want %s (%s)", s.Name, does, took[0], took[1], way, want)
			}
		}
		if said := h.text("backups", "show", s.Name, s.Backup.ID, "--backup-dir", h.Home+"/backups").stdout; !strings.Contains(said, way) || !strings.Contains(said, want) {
			t.Errorf("nothing says by which way it was read:\n%s", said)
		}
	}
}

// backsUpAVolume: the podman driver keeps the home in a volume, whose owners Podman's archive does not tell. It is replaced whole, newer files
// go, as the dry run says.
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
	t.Cleanup(func() { _ = e.client.VolumeRemove(context.WithoutCancel(t.Context()), "home-"+name, true) })
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
	then := e.now("c-" + name)
	e.put("c-"+name, entry{name: "newer", content: "x", mode: 0o600}, entry{name: "notes/today.md", content: "now\n", mode: 0o600})
	restore := []string{"restore", name, "--backup-dir", h.Home + "/backups"}
	if kind.name == "rootless Podman" {
		back := h.text(append(restore, "--yes")...)
		if back.exit != 1 || !strings.Contains(back.stderr, "nothing was stopped or changed: /sandbox is mounted: the owners of files in a volume") || strings.Contains(back.stderr, "stopping") {
			t.Errorf("restore: exit %d\n%s%s", back.exit, back.stdout, back.stderr)
		}
		return
	}
	if dry := h.text(append(restore, "--dry-run")...); dry.exit != 0 || !strings.Contains(dry.stdout, "would remove: newer\n") || strings.Contains(dry.stdout, "would be refused") {
		t.Errorf("dry run: exit %d\n%s%s%s", dry.exit, dry.stdout, dry.stderr, h.text(append(restore, "--dry-run", "--json")...).stdout)
	}
	back := h.text(append(restore, "--yes", "-v")...)
	if back.exit != 0 || !strings.Contains(back.stdout, "The sandbox was stopped for") { // the direct way says so
		t.Errorf("restore: exit %d\n%s%s", back.exit, back.stdout, back.stderr)
	}
	if diff := cmp.Diff(then, e.now("c-"+name)); diff != "" {
		t.Errorf("the home (-then +now):\n%s", diff)
	}
	e.goesOn("c-"+name, 0)
}
