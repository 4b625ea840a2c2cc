package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

// mounted makes a running sandbox with a folder of the host, a volume and a tmpfs in its home.
func (p *patient) mounted(host string) string {
	p.t.Helper()
	volume := "in-" + p.name
	made := p.makeOn(p.name, []string{"/bin/sh", "-c", "trap 'exit 0' TERM; echo lost >/sandbox/ram/lost; while :; do /bin/sleep 600 & wait; done"}, container.HostConfig{
		NetworkMode: "none", Tmpfs: map[string]string{"/sandbox/ram": ""},
		Mounts: []mount.Mount{{Type: mount.TypeBind, Source: host, Target: "/sandbox/bound"}, {Type: mount.TypeVolume, Source: volume, Target: "/sandbox/deep/volume"}},
	})
	p.t.Cleanup(func() { _ = p.engine.client.VolumeRemove(context.WithoutCancel(p.t.Context()), volume, true) })
	p.engine.put(made, append(home(), entry{name: "deep", dir: true, mode: 0o750, uid: 1000}, entry{name: "deep/beside", content: "then\n", mode: 0o600, uid: 1000},
		entry{name: "deep/volume/file", content: "then\n", mode: 0o600, uid: 1000})...)
	p.engine.start(made)
	return made
}

// onlyBackup is the folder of the one backup of the patient in a store.
func (p *patient) onlyBackup(store string) string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(store, p.name, "2*"))
	if err != nil || len(found) != 1 {
		p.t.Fatalf("%q, %v; want one backup", found, err)
	}
	return found[0]
}

// Promise: mounts below a home are a part of its backup, a tmpfs is named in it, and neither makes a restore impossible: what is mounted
// stays as it is, and is said. Running and stopped, on both ways.
func TestMountsBelowAHome(t *testing.T) {
	p := &patient{host: newHost(t, "0.0.110"), engine: newEngine(t)}
	p.name = fmt.Sprintf("mounts%d", p.Port)
	host := t.TempDir()
	must(t, os.WriteFile(filepath.Join(host, "file"), []byte("the host's"), 0o644))
	made := p.mounted(host)
	for _, state := range []string{"running", "stopped"} {
		for _, way := range []string{"auto", "engine"} {
			now := state + way
			t.Run(fmt.Sprintf("%s, %s", state, way), func(t *testing.T) {
				p.t = t
				then := p.engine.now(made)
				store := t.TempDir()
				if out := p.text(p.save("--backup-dir", store, "--way", way)...); out.exit != 0 {
					t.Fatalf("backup: exit %d\n%s", out.exit, out.stderr)
				}
				_, entries := unpack(t, archivePath(p.onlyBackup(store)))
				if _, held := entries["deep/volume/file"]; !held || entries["bound/file"] == "" {
					t.Errorf("what is mounted is not in the backup: %v", entries)
				}
				said := p.text("backups", "show", p.name, "latest", "--backup-dir", store)
				if state == "running" && !strings.Contains(said.stdout, "a tmpfs: what is in it is in memory only") {
					t.Errorf("the tmpfs is not named:\n%s", said.stdout)
				}
				p.engine.put(made, entry{name: "deep/beside", content: now, mode: 0o600}, entry{name: "deep/" + now, content: "x", mode: 0o600},
					entry{name: "deep/volume/file", content: now, mode: 0o600, uid: 1000}, entry{name: "notes/today.md", content: now, mode: 0o600})
				out := p.text("restore", p.name, "--backup-dir", store, "--way", way, "--yes")
				if out.exit != 0 || !strings.Contains(out.stdout, "left as it is, something is mounted there: deep/volume\n") {
					t.Fatalf("restore: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
				}
				got := p.engine.now(made)
				_, newer := got["deep/"+now]
				if stays := strings.Contains(out.stdout, "stay, for no engine can remove that alone"); newer != stays || newer != (way == "engine") {
					t.Errorf("the newer file is there: %v, said: %v\n%s", newer, stays, out.stdout)
				}
				if got["deep/volume/file"] == then["deep/volume/file"] {
					t.Error("the file in the volume was written to")
				}
				for _, name := range []string{"deep/" + now, "deep/volume/file"} {
					delete(got, name)
					delete(then, name)
				}
				if diff := cmp.Diff(then, got); diff != "" {
					t.Errorf("the home (-then +now):\n%s", diff)
				}
				if state == "running" {
					p.engine.goesOn(made, 0)
				}
			})
		}
		p.t = t
		p.engine.stop(made)
	}
	if got := readFile(t, filepath.Join(host, "file")); got != "the host's" {
		t.Errorf("the host's file is %q", got)
	}
}
