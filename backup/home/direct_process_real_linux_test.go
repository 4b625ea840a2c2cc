package home

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
)

// TestAProcessIsTheContainersOrItIsNot: each proof by itself refuses what only the engine's word speaks for.
func TestAProcessIsTheContainersOrItIsNot(t *testing.T) {
	e := backuptest.RealEngine(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: the files of processes of containers are root's")
	}
	one, other := backuptest.RealSandbox(t, e, true, nil), backuptest.RealSandbox(t, e, true, nil)
	at, err := e.OnHost(t.Context(), one.Container.ID)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.OnHost(t.Context(), other.Container.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proveProcess(at)
	if err != nil {
		t.Fatalf("the container's own: %v", err)
	}
	if !p.ended() {
		stopAndWait(t, e, one.Container.ID, p)
	}
	p.close()
	for name, claim := range map[string]struct {
		of  func(c *engine.OnHost)
		why string
	}{
		"another container's":   {func(c *engine.OnHost) { c.Pid = second.Pid }, "control group"},
		"this host's":           {func(c *engine.OnHost) { c.Pid = os.Getpid() }, "control group"},
		"of no whole id":        {func(c *engine.OnHost) { *c = second; c.Container = c.Container[:12] }, "control group"},
		"on another layer":      {func(c *engine.OnHost) { *c = second; c.Upper = at.Upper }, "writable layer"},
		"of one that has ended": {func(*engine.OnHost) {}, "no such process"},
	} {
		wrong := at
		claim.of(&wrong)
		p, err := proveProcess(wrong)
		if err == nil || !strings.Contains(err.Error(), claim.why) {
			t.Errorf("%s: %v, want %q", name, err, claim.why)
		}
		if err == nil {
			p.close()
		}
	}
	if err := Unmounted(second.Upper); err == nil {
		t.Error("the layers of a running container count as not mounted")
	}
	if err := Unmounted(at.Upper); err != nil {
		t.Errorf("the layers of a stopped container: %v", err)
	}
}

func stopAndWait(t *testing.T, e *engine.Engine, id string, p *process) {
	t.Helper()
	if err := e.Stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if !p.ended() {
		t.Error("a process that has ended counts as alive")
	}
}

// A mountinfo of a real container of Docker 20.10, shortened, with a mount over the root before it.
func TestTheUpperLayerOfTheRoot(t *testing.T) {
	const text = `22 1 0:21 / / rw - ext4 /dev/vda rw
480 320 0:53 / / rw,relatime master:123 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,upperdir=/var/lib/docker/a\040b/diff,workdir=/w
481 480 0:55 / /proc rw,nosuid - proc proc rw
`
	if got, want := upperOfRoot(text), "/var/lib/docker/a b/diff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := upperOfRoot(text + "500 480 0:60 / / rw - tmpfs tmpfs rw\n"); got != "" {
		t.Errorf("a root that is another file system has the layer %q", got)
	}
	const id = "3b1e0c8a5d7f49e2a6b4c1d09f8e7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f"
	// Docker 26.1 with containerd's image store, shortened.
	const host = "612 28 0:61 / /var/lib/docker/rootfs/overlayfs/" + id + ` rw,relatime shared:301 - overlay overlay rw,lowerdir=/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/4/fs:/snapshots/3/fs,upperdir=/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/9/fs,workdir=/w
`
	const snapshots = "/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots"
	if upper, lower := layersIn(text+host, id); upper != snapshots+"/9/fs" || !slices.Equal(lower, []string{snapshots + "/4/fs", "/snapshots/3/fs"}) {
		t.Errorf("the layers of a container are %q over %q", upper, lower)
	}
	if upper, _ := layersIn(text+host, id[1:]+"0"); upper != "" {
		t.Errorf("another container has the layer %q", upper)
	}
	if upper, _ := layersIn(strings.ReplaceAll(host, ":/snapshots", ":snapshots"), id); upper != "" {
		t.Errorf("layers by relative paths are %q", upper)
	}
	if got := upperOfRoot("nonsense\n - x\n"); got != "" {
		t.Errorf("nonsense has the layer %q", got)
	}
}
