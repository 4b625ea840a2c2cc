package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealCommandLineOverContainers puts everything together that can be had of a real host: a real openshell, gRPC, containers as
// the docker driver makes them, and sandkeeper on top. Sandboxes are made, stopped, run in and deleted by openshell itself.
func TestRealCommandLineOverContainers(t *testing.T) {
	h := newUpgradeHost(t, "running")
	name, made := h.name, h.listed()
	cli := func(args ...string) printed { return run(t, h.env, append([]string{h.openshell}, args...)...) }
	h.registry(name)

	if p := cli("sandbox", "exec", "-n", name, "--", "/bin/sh", "-c", "echo kept > /sandbox/note"); p.exit != 0 {
		t.Fatalf("sandbox exec: exit %d, %s", p.exit, p.stderr)
	}
	id := strings.TrimSpace(cli("sandbox", "list", "--ids").stdout)
	if id != made.ID {
		t.Fatalf("sandbox list --ids: %q, want %q", id, made.ID)
	}
	for _, want := range []string{"paused", "stopped"} {
		root := filepath.Join(t.TempDir(), "backups")
		got := h.document("backup-all", "--backup-dir", root, "--only", name)
		if got.ExitCode != 0 || got.Result == nil || got.Result.Totals["backedUp"] != 1 {
			t.Fatalf("backup-all: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
		}
		saved := got.Result.Sandboxes[0].Backup
		if saved.Consistency != want {
			t.Errorf("read %s, want %s", saved.Consistency, want)
		}
		if _, entries := unpack(t, archivePath(saved.Path)); !strings.HasPrefix(entries["note"], "file ") {
			t.Errorf("the note is not in the archive: %v", entries)
		}
		if p := cli("sandbox", "stop", name); p.exit != 0 {
			t.Fatalf("sandbox stop: exit %d, %s", p.exit, p.stderr)
		}
	}
	if p := cli("sandbox", "delete", name); p.exit != 0 || !strings.Contains(p.stdout+p.stderr, "Deleted sandbox") {
		t.Errorf("sandbox delete: exit %d, %s%s", p.exit, p.stdout, p.stderr)
	}
	orphan := h.document("backup-all", "--backup-dir", filepath.Join(t.TempDir(), "backups"), "--only", name)
	if orphan.Result == nil || orphan.Result.Totals["orphaned"] != 1 {
		t.Errorf("after the delete: %+v, error %+v", orphan.Result, orphan.Error)
	}
}

// registry registers one sandbox of gateway nemoclaw.
func (h realHost) registry(name string) {
	h.t.Helper()
	row := map[string]any{"name": name, "createdAt": "2026-06-02T09:14:55.120Z", "gatewayName": "nemoclaw", "openshellDriver": "docker"}
	content, err := json.Marshal(map[string]any{"sandboxes": map[string]any{name: row}, "defaultSandbox": name})
	if err != nil {
		h.t.Fatal(err)
	}
	dir := filepath.Join(h.home, ".nemoclaw")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	write(h.t, filepath.Join(dir, "sandboxes.json"), string(content))
}
