package e2e

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// home is what a sandbox holds in these tests: the kinds of entries that break naive copies.
func home() []entry {
	return []entry{
		{name: "notes", dir: true, mode: 0o750, uid: 1000},
		{name: "notes/today.md", content: "kept\n", mode: 0o640, uid: 1000},
		{name: "notes/empty", mode: 0o600, uid: 1000},
		{name: "notes/" + strings.Repeat("long-", 40) + "name", content: "long", mode: 0o644},
		{name: "notes/üñí codé \t'\"", content: "odd", mode: 0o644},
		{name: "bin", dir: true, mode: 0o755},
		{name: "bin/run", content: "#!/bin/sh\necho hi\n", mode: 0o755},
		{name: "bin/same", link: "bin/run", hard: true, mode: 0o755},
		{name: "bin/setuid", content: "#!/bin/sh\n", mode: 0o4755},
		{name: "away", link: "/etc/passwd"},
		{name: "dangling", link: "nowhere/at/all"},
		{name: "big", content: strings.Repeat("0123456789abcdef", 1<<18), mode: 0o644, uid: 1000},
	}
}

// saved is one sandbox of these tests, with what its backup must be like.
type saved struct{ name, id, consistency string }

// situation puts a running and a stopped sandbox on a host whose gateway process runs the given version.
func situation(t *testing.T, cli, gatewayVersion string) (*host, []saved) {
	t.Helper()
	e := newEngine(t)
	h := newHost(t, cli)
	running := saved{fmt.Sprintf("up%d", h.Port), gateway.NewID(), "paused"}
	stopped := saved{fmt.Sprintf("off%d", h.Port), gateway.NewID(), "stopped"}
	for _, s := range []saved{running, stopped} {
		e.sandbox(h, s.name, s.id, home())
		h.Script.Sandboxes = append(h.Script.Sandboxes, openshell.Sandbox{Name: s.name, ID: s.id, Created: time.Unix(1780391612, 0)})
	}
	e.start("openshell-default--" + running.name + "-" + running.id)
	h.Script.Sandboxes[1].Phase = "Error"
	h.register(running.name, stopped.name)
	h.installGateway(gatewayVersion)
	h.startGateway()
	return h, []saved{running, stopped}
}

func (h *host) backUp(all []saved, args ...string) envelope {
	h.t.Helper()
	args = append([]string{"backup-all", "--backup-dir", filepath.Join(h.Home, "backups")}, args...)
	for _, s := range all { // other labelled containers of this engine are not ours to read
		args = append(args, "--only", s.name)
	}
	return h.sandkeeper(args...)
}

func TestBackupByteForByte(t *testing.T) {
	h, all := situation(t, "0.0.110", "0.0.110")
	got := h.backUp(all)
	if got.ExitCode != 0 {
		t.Fatalf("exit %d: %+v", got.ExitCode, got.Error)
	}
	holds(t, got, all)
}

// TestOffline is the way out of the trap: under drift nothing is asked of the gateway, and the same sandboxes are saved without
// running openshell once.
func TestOffline(t *testing.T) {
	h, all := situation(t, "0.0.110", "0.0.105")
	refused := h.backUp(all)
	if refused.ExitCode != 1 || refused.Error == nil || refused.Error.Kind != "host_process_drift" {
		t.Fatalf("under drift: exit %d, error %+v", refused.ExitCode, refused.Error)
	}
	if h.called("sandbox") {
		t.Errorf("sandbox state was asked for under drift: %q", h.calls())
	}
	if _, err := os.Stat(filepath.Join(h.Home, "backups", all[0].name)); err == nil {
		t.Error("a refused backup left something on disk")
	}
	p := h.text("backup-all")
	if !strings.Contains(p.stderr, "sandkeeper backup-all --offline") {
		t.Errorf("the refusal does not name the way out:\n%s", p.stderr)
	}
	before := len(h.calls())
	got := h.backUp(all, "--offline")
	if got.ExitCode != 0 {
		t.Fatalf("--offline: exit %d: %+v", got.ExitCode, got.Error)
	}
	if after := h.calls(); len(after) != before {
		t.Errorf("--offline ran openshell: %q", after[before:])
	}
	holds(t, got, all)
}

// holds compares every archive with what was put into the container.
func holds(t *testing.T, got envelope, all []saved) {
	t.Helper()
	if got.Result == nil || got.Result.Totals["backedUp"] != len(all) {
		t.Fatalf("result %+v, want %d backed up", got.Result, len(all))
	}
	for _, want := range all {
		for _, s := range got.Result.Sandboxes {
			if s.Name != want.name {
				continue
			}
			if s.Status != "backed_up" || s.Backup == nil {
				t.Errorf("%s: %s, %s", s.Name, s.Status, s.Reason)
				continue
			}
			if s.Backup.Consistency != want.consistency {
				t.Errorf("%s was read %s, want %s", s.Name, s.Backup.Consistency, want.consistency)
			}
			sum, entries := unpack(t, archivePath(s.Backup.Path))
			if sum != s.Backup.SHA256 {
				t.Errorf("%s: sha256 of the archive is %s, the summary says %s", s.Name, sum, s.Backup.SHA256)
			}
			if diff := cmp.Diff(wanted(), entries); diff != "" {
				t.Errorf("%s: the archive differs from the home (-put +saved):\n%s", s.Name, diff)
			}
		}
	}
}

// archivePath is the archive of a backup, given as its folder or as the file itself.
func archivePath(p string) string {
	if strings.HasSuffix(p, ".zst") {
		return p
	}
	return filepath.Join(p, "archive.tar.zst")
}

// wanted is home as lines.
func wanted() map[string]string {
	lines := map[string]string{}
	for _, e := range home() {
		switch {
		case e.dir:
			lines[e.name] = fmt.Sprintf("dir %o %d", e.mode, e.uid)
		case e.hard:
			lines[e.name] = "same file as " + e.link
		case e.link != "":
			lines[e.name] = "link to " + e.link
		default:
			lines[e.name] = fmt.Sprintf("file %o %d %x", e.mode, e.uid, sha256.Sum256([]byte(e.content)))
		}
	}
	return lines
}

// unpack reads an archive with other people's code only: zstd and tar.
func unpack(t *testing.T, file string) (sum string, lines map[string]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	z, err := zstd.NewReader(io.TeeReader(f, hash))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	lines = map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := path.Clean(strings.TrimPrefix(path.Clean("/"+h.Name), "/"))
		if name == "." || name == "" {
			continue // the home itself
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			lines[name] = fmt.Sprintf("dir %o %d", h.Mode, h.Uid)
		case tar.TypeSymlink:
			lines[name] = "link to " + h.Linkname
		case tar.TypeLink:
			lines[name] = "same file as " + path.Clean(h.Linkname)
		default:
			lines[name] = fmt.Sprintf("file %o %d %x", h.Mode, h.Uid, sha256.Sum256(content))
		}
	}
	if _, err := io.Copy(io.Discard, z); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil)), lines
}
