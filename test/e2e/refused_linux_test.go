package e2e

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	backup "sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// untouched runs a restore that must be refused, and wants the home and the run of the container to be what they were.
func (p *patient) untouched(container string, exit int, says string, args ...string) {
	p.t.Helper()
	look := func() (map[string]string, string) {
		c, err := p.engine.client.ContainerInspect(p.t.Context(), container)
		must(p.t, err)
		return p.engine.now(container), c.State.Status + " since " + c.State.StartedAt
	}
	home, state := look()
	out := p.text(append([]string{"restore", "--yes"}, args...)...)
	if out.exit != exit || !strings.Contains(out.stderr, says) || strings.Contains(out.stderr, ": stopping") {
		p.t.Errorf("%q: exit %d, want %d and %q\n%s%s", args, out.exit, exit, says, out.stdout, out.stderr)
	}
	after, now := look()
	if diff := cmp.Diff(home, after); diff != "" || now != state {
		p.t.Errorf("%q: it was %s and is %s; the home (-before +after):\n%s", args, state, now, diff)
	}
}

// Promise: what no restore could replace is found before anything is stopped: files that chattr has locked, a root that cannot be written.
func TestARestoreThatCannotSucceedStopsNothing(t *testing.T) {
	p := newPatient(t, 0)
	p.diverge()
	c, err := p.engine.client.ContainerInspect(t.Context(), p.container)
	must(t, err)
	locked := filepath.Join(c.GraphDriver.Data["UpperDir"], "sandbox/bin/run")
	if said, err := exec.Command("chattr", "+i", locked).CombinedOutput(); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "root on the engine's own host, and files that chattr can lock: "+string(said))
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", locked).Run() })
	for _, way := range []string{"auto", "engine"} {
		p.untouched(p.container, 1, "chattr has locked files in the home", p.name, "--way", way)
	}
	must(t, exec.Command("chattr", "-i", locked).Run())
	fixed := "fixed" + p.name
	made := p.makeOn(fixed, nil, container.HostConfig{NetworkMode: "none", ReadonlyRootfs: true})
	p.engine.start(made)
	for _, way := range []string{"auto", "engine"} {
		p.untouched(made, 1, "read-only", p.name, "--to", fixed, "--way", way)
	}
}

// Promise: a container that the engine could not remove, for chattr has locked a file of it, is found before an upgrade stops it.
func TestAnUpgradeOfWhatIsLockedStopsNothing(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	before := h.inspected("alpha")
	locked := filepath.Join(before.GraphDriver.Data["UpperDir"], "locked")
	must(t, os.WriteFile(locked, nil, 0o600))
	if said, err := exec.Command("chattr", "+i", locked).CombinedOutput(); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "root on the engine's own host, and files that chattr can lock: "+string(said))
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", locked).Run() })
	d := h.upgrade([]string{"alpha"})
	must(t, exec.Command("chattr", "-i", locked).Run())
	if d.ExitCode != 1 || d.Result == nil || !strings.Contains(d.Result.Sandboxes[0].Reason, "chattr has locked 1 or more of its files") {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	h.unnoticed("alpha", before)
}

// Promise: a container that goes when it stops, and a home that has no room on the engine's disk, are found before anything is stopped.
func TestARestoreThatHasNoRoomStopsNothing(t *testing.T) {
	private := newSmallEngine(t, 160)
	t.Setenv("DOCKER_HOST", private.host)
	p := &patient{host: newHost(t, "0.0.110"), engine: private.engine}
	p.name = fmt.Sprintf("big%d", p.Port)
	p.container = p.add(p.name, append(home(), entry{name: "noise", content: noise(60), mode: 0o600, uid: 1000}))
	p.diverge()
	fleeting := p.makeOn("fleeting"+p.name, []string{"/bin/sleep", "600"}, container.HostConfig{NetworkMode: "none", AutoRemove: true})
	p.engine.start(fleeting)
	for _, way := range []string{"auto", "engine"} {
		p.untouched(fleeting, 1, "was made with --rm", p.name, "--to", "fleeting"+p.name, "--way", way)
	}
	tight := p.add("tight"+p.name, append(home(), entry{name: "of-its-own", content: "x", mode: 0o600}))
	p.add("filler"+p.name, []entry{{name: "noise", content: noise(70), mode: 0o600}})
	p.untouched(tight, 1, "the container engine's disk has no room", p.name, "--to", "tight"+p.name, "--way", "engine")
	p.untouched(tight, 1, "no space left on device", p.name, "--to", "tight"+p.name)
}

// Promise: a crafted backup is refused by verify, restore and import, and leads nothing out of a sandbox: its home is a link into a folder of
// the host that is mounted in the container, whose authorized_keys it would write.
func TestAHostileBackupWritesNothing(t *testing.T) {
	p := &patient{host: newHost(t, "0.0.110"), engine: newEngine(t)}
	p.name = fmt.Sprintf("lured%d", p.Port)
	host := t.TempDir()
	keys := filepath.Join(host, "authorized_keys")
	must(t, os.WriteFile(keys, []byte("the host's"), 0o644))
	made := p.makeOn(p.name, nil, container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeBind, Source: host, Target: "/host"}}})
	p.engine.put(made, home()...)
	p.engine.start(made)
	s, err := store.Open(p.backups(), store.Options{UID: os.Getuid()})
	must(t, err)
	forged, err := s.Create(t.Context(), store.NewBackup{Manifest: backup.Manifest{Sandbox: p.name, Home: "/sandbox", Consistency: backup.ConsistencyStopped}},
		func(_ context.Context, a *backup.Archive) error {
			return a.AddUnjudged(&tar.Header{Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/host", Mode: 0o777}, strings.NewReader(""))
		})
	must(t, err)
	for _, way := range []string{"auto", "engine"} {
		p.untouched(made, 12, "the home itself is a symlink, not a folder", p.name, "--way", way)
	}
	if out := p.text("backups", "verify", "--read-data"); out.exit != 12 {
		t.Errorf("verify: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	packed := filepath.Join(t.TempDir(), "hostile.tar")
	f, err := os.Create(packed)
	must(t, err)
	must(t, s.Export(t.Context(), forged, f, store.ExportOptions{Scratch: t.TempDir()}))
	must(t, f.Close())
	if out := p.text("backups", "import", packed, "--backup-dir", t.TempDir()); out.exit != 12 {
		t.Errorf("import: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	if got := readFile(t, keys); got != "the host's" {
		t.Errorf("the host's file is %q", got)
	}
}
