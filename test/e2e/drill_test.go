package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	format "sandkeeper/backup/archive"
	"sandkeeper/test/e2e/gateway"
)

// drilled are the containers of drills that there are now.
func (e *engine) drilled() []string {
	e.t.Helper()
	list, err := e.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "sandkeeper.drill"))})
	if err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, c := range list {
		names = append(names, strings.TrimPrefix(c.Names[0], "/"))
	}
	return names
}

// box is a sandbox name of this host's own: other tests may use the same engine.
func (h *host) box() string { return fmt.Sprintf("drilled%d", h.Port) }

// drillHost is a host with one stopped sandbox that has a backup.
func drillHost(t *testing.T) (*engine, *host) {
	t.Helper()
	e, h := newEngine(t), newHost(t, "0.0.44")
	e.sandbox(h, h.box(), gateway.NewID(), home())
	if p := h.text("backup-all", "--offline", "-q", "--only", h.box()); p.exit != 0 {
		t.Fatalf("exit %d: %s", p.exit, p.stderr)
	}
	return e, h
}

// The newest backup comes back whole in a container without network of the image that it ran from; the check runs in the restored home,
// the time is noted, and the container is gone.
func TestDrillBringsABackupBack(t *testing.T) {
	e, h := drillHost(t)
	check := `test "$(busybox tail -n 1 bin/run)" = "echo hi" && test "$(pwd)" = /sandbox && ! test -e /sys/class/net/eth0 && echo tried`
	p := h.text("backups", "drill", h.box(), "--drill-check", check)
	if p.exit != 0 || !strings.Contains(p.stdout, "every entry as it was saved") || !strings.Contains(p.stdout, ": tried") {
		t.Errorf("exit %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
	if left := e.drilled(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	status := h.text("status", "--offline")
	if !regexp.MustCompile(`ok +` + h.box() + ` .*\d[sm] ago +\d+[sm] ago \(`).MatchString(status.stdout) {
		t.Errorf("a drill proves a backup and is shown: exit %d\n%s%s", status.exit, status.stdout, status.stderr)
	}
	for _, c := range e.sandboxes(h.box()) {
		e.change(c, entry{name: "bin/run", content: "#!/bin/sh\necho later\n", mode: 0o755})
	}
	if p := h.text("backup-all", "--offline", "-q", "--only", h.box()); p.exit != 0 {
		t.Fatal(p.stderr)
	}
	later := h.text("backups", "drill", h.box(), "--drill-check", "busybox tail -n 1 bin/run")
	if later.exit != 0 || !strings.Contains(later.stdout, "echo later") {
		t.Errorf("a later backup, of what changed only: exit %d\n%s%s", later.exit, later.stdout, later.stderr)
	}
	if list := h.text("backups", "list", h.box()); strings.Count(list.stdout, "\n  "+h.box()) != 2 {
		t.Errorf("a drill makes no backup:\n%s", list.stdout)
	}
}

// An archive that is valid in itself and holds something else than was saved fails the drill; so does content that the check refuses.
func TestDrillFindsWrongContent(t *testing.T) {
	e, h := drillHost(t)
	p := h.text("backups", "drill", h.box(), "--drill-check", "test -s notes/missing.md")
	if p.exit != 1 || !strings.Contains(p.stdout, "FAIL") || !strings.Contains(p.stdout, "exit status 1") {
		t.Errorf("a check that fails: exit %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
	root := filepath.Join(h.Home, ".local/share/sandkeeper/backups", h.box())
	first := newestBackup(t, root)
	// The same sandbox with another content, and then its archive in the place of the first one's, sealed anew.
	for _, c := range e.sandboxes(h.box()) {
		e.change(c, entry{name: "notes/today.md", content: "else\n", mode: 0o640, uid: 1000})
	}
	elsewhere := t.TempDir() // the first backup of a store is an archive of its own
	if p := h.text("backup-all", "--offline", "-q", "--only", h.box(), "--backup-dir", elsewhere); p.exit != 0 {
		t.Fatal(p.stderr)
	}
	forge(t, first, newestBackup(t, filepath.Join(elsewhere, h.box())))
	p = h.text("backups", "drill", h.box())
	if p.exit != 12 || !strings.Contains(p.stdout, "FAIL") || !strings.Contains(p.stdout, "notes/today.md") {
		t.Errorf("wrong content: exit %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
	if left := e.drilled(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A drill that is killed leaves its container; the next one removes that one, and nothing else that only looks like one.
func TestKilledDrillIsClearedUp(t *testing.T) {
	e, h := drillHost(t)
	e.create("sandkeeper-drill-bystander", container.Config{Image: e.imageOf(h), Labels: map[string]string{"sandkeeper.drill": "of somebody else"}}, container.HostConfig{NetworkMode: "none"})
	env, err := h.Environment()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), filepath.Join(h.Programs.Dir, "sandkeeper"), "backups", "drill", h.box(), "--drill-check", "sleep 300")
	victim.Env = append(env, engineEnv()...)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(waitLimit); ; time.Sleep(100 * time.Millisecond) {
		if len(e.drilled()) == 2 && e.anyRuns() {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the drill never came to its check")
		}
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
	if left := e.drilled(); len(left) != 2 {
		t.Fatalf("the killed drill left %v", left)
	}
	p := h.text("backups", "drill", h.box(), "--drill-check", "true")
	if p.exit != 0 || !strings.Contains(p.stdout, "which a drill that was killed had left") {
		t.Errorf("exit %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
	if left := e.drilled(); len(left) != 1 || left[0] != "sandkeeper-drill-bystander" {
		t.Errorf("there is %v", left)
	}
}

func (e *engine) anyRuns() bool {
	list, err := e.client.ContainerList(context.Background(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "sandkeeper.drill"))})
	return err == nil && len(list) > 0
}

func (e *engine) imageOf(h *host) string {
	list, err := e.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "openshell.ai/sandbox-name="+h.box()))})
	if err != nil || len(list) == 0 {
		e.t.Fatalf("no sandbox alpha: %v", err)
	}
	return list[0].Image
}

func (e *engine) sandboxes(name string) []string {
	list, err := e.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "openshell.ai/sandbox-name="+name))})
	if err != nil {
		e.t.Fatal(err)
	}
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

func (e *engine) change(id string, files ...entry) {
	e.t.Helper()
	if err := e.client.CopyToContainer(e.t.Context(), id, "/sandbox", archive(e.t, files), container.CopyToContainerOptions{CopyUIDGID: true}); err != nil {
		e.t.Fatal(err)
	}
}

func newestBackup(t *testing.T, root string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "2*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no backup in %s: %v", root, err)
	}
	return found[len(found)-1]
}

// forge gives the backup in dir the archive of another one, and a manifest that is whole, promises that archive's bytes, and still lists
// what the backup's own archive held.
func forge(t *testing.T, dir, other string) {
	t.Helper()
	read := func(dir, name string) string {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	archived := regexp.MustCompile(`"archive": ?\{[^}]*\}`)
	text := read(dir, format.ManifestName)
	text = strings.Replace(text, archived.FindString(text), archived.FindString(read(other, format.ManifestName)), 1)
	text = string(format.Seal([]byte(text[:strings.LastIndex(text, format.SealHead)])))
	if _, err := format.DecodeManifest([]byte(text), true); err != nil || text == read(dir, format.ManifestName) {
		t.Fatalf("nothing was forged: %v", err)
	}
	for name, content := range map[string]string{format.ManifestName: text, format.ArchiveName: read(other, format.ArchiveName)} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
