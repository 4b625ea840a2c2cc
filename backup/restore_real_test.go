package backup

import (
	"archive/tar"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// nowIn reads a container's home as test entries.
func nowIn(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) []backuptest.Entry {
	t.Helper()
	h := home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}
	stream, base, err := h.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var entries []backuptest.Entry
	walk := tar.NewReader(stream)
	for {
		h, err := walk.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(walk)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := home.Rebase(h.Name, base)
		if h.Typeflag == tar.TypeLink {
			h.Linkname, _ = home.Rebase(h.Linkname, base)
		}
		entries = append(entries, backuptest.Entry{Name: name, Body: string(body), Link: h.Linkname, Kind: h.Typeflag, Mode: h.Mode & 0o7777, Uid: h.Uid})
	}
	return entries
}

func backedUp(t *testing.T, r *Options, sb sandbox.Sandbox) store.Backup {
	t.Helper()
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || summary.Totals.BackedUp != 1 {
		t.Fatalf("backup: %+v, %v", summary, err)
	}
	b, err := r.Store.Find(sb.Name, summary.Sandboxes[0].Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRestoreBringsBackEveryByte(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, running := range []bool{true, false} {
		sb := backuptest.RealSandbox(t, e, running, nil)
		backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		r := realRun(t, e)
		b := backedUp(t, r, sb)
		backuptest.FillHome(t, e, sb,
			backuptest.Entry{Name: "a", Body: "overwritten"}, backuptest.Entry{Name: "added", Kind: tar.TypeDir}, backuptest.Entry{Name: "added/later", Body: "x"},
			backuptest.Entry{Name: "emptydir", Kind: tar.TypeSymlink, Link: "/etc"}, // a trap: the restore must not write through it
		)
		request := restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb}
		_, err := restore.Restore(t.Context(), request)
		if refusal, ok := errors.AsType[*restore.ConsentError](err); !ok || refusal.Entries == 0 {
			t.Fatalf("without consent: %v", err)
		}
		request.Consent = true
		summary, err := restore.Restore(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(storetest.Settled(backuptest.OddHome()), nowIn(t, e, sb), cmp.AllowUnexported(backuptest.Entry{})); diff != "" {
			t.Errorf("running %t: home differs (-want +got):\n%s", running, diff)
		}
		if !summary.Done || summary.Previous == "" || summary.Files != 11 {
			t.Errorf("summary %+v", summary)
		}
		backuptest.AssertRunning(t, e, sb, running)
		previous, err := r.Store.Find(sb.Name, summary.Previous)
		if err != nil || previous.Manifest.Label != archive.LabelBeforeRestore {
			t.Errorf("the replaced content was not kept: %+v, %v", previous, err)
		}
		if again := storetest.ContentOf(t, r.Store, previous); !hasBody(again, "a", "overwritten") || !hasBody(again, "added/later", "x") {
			t.Error("the kept backup does not hold what was replaced")
		}
	}
}

func hasBody(entries []backuptest.Entry, name, body string) bool {
	for _, e := range entries {
		if e.Name == name {
			return e.Body == body
		}
	}
	return false
}

func TestRestoreDryRunChangesNothing(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "same", Body: "1"}, backuptest.Entry{Name: "changed", Body: "1"}, backuptest.Entry{Name: "gone", Body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	other := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, other, backuptest.Entry{Name: "same", Body: "1"}, backuptest.Entry{Name: "changed", Body: "2"}, backuptest.Entry{Name: "extra", Body: "1"})
	before := nowIn(t, e, other)
	summary, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: other, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{summary.Added, summary.Changed, summary.Removed}
	if diff := cmp.Diff([][]string{{"gone"}, {"changed"}, {"extra"}}, got); diff != "" || summary.Done {
		t.Errorf("plan (-want +got):\n%s done %t", diff, summary.Done)
	}
	if diff := cmp.Diff(before, nowIn(t, e, other), cmp.AllowUnexported(backuptest.Entry{})); diff != "" {
		t.Errorf("a dry run changed the home:\n%s", diff)
	}
	if folders, err := r.Store.Sandboxes(); err != nil || len(folders) != 1 {
		t.Errorf("a dry run wrote to the store: %q, %v", folders, err)
	}
}

// TestRestoreDryRunNamesWhatIsMounted: a restore leaves it as it is.
func TestRestoreDryRunNamesWhatIsMounted(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "a", Body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	folder := t.TempDir()
	other := backuptest.RealSandbox(t, e, false, &container.HostConfig{Binds: []string{folder + ":/sandbox/m"}})
	summary, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: other, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(summary.Mounted, []string{"m"}) || strings.Contains(strings.Join(summary.Warnings, "\n"), "would be refused") {
		t.Errorf("mounted %q, warnings %q", summary.Mounted, summary.Warnings)
	}
}

func TestRestoreGivesOwnersOfTheTarget(t *testing.T) {
	e := backuptest.RealEngine(t)
	from := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, from, backuptest.Entry{Name: ".", Kind: tar.TypeDir, Uid: 998}, backuptest.Entry{Name: "mine", Body: "1", Uid: 998}, backuptest.Entry{Name: "roots", Body: "2"})
	r := realRun(t, e)
	b := backedUp(t, r, from)
	to := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, to, backuptest.Entry{Name: ".", Kind: tar.TypeDir, Uid: 1234})
	if _, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: to}); err != nil {
		t.Fatal(err)
	}
	owners := map[string]int{}
	for _, got := range nowIn(t, e, to) {
		owners[got.Name] = got.Uid
	}
	if diff := cmp.Diff(map[string]int{".": 1234, "mine": 1234, "roots": 0}, owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestRestoreOfStateLeavesTheRest(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.FillHome(t, e, sb,
		backuptest.Entry{Name: ".openclaw", Kind: tar.TypeDir}, backuptest.Entry{Name: ".openclaw/workspace", Kind: tar.TypeDir},
		backuptest.Entry{Name: ".openclaw/workspace/memo", Body: "then"}, backuptest.Entry{Name: ".openclaw/openclaw.json", Body: "{}"},
		backuptest.Entry{Name: ".openclaw/plugins", Body: "then"}, backuptest.Entry{Name: "project", Body: "then"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	backuptest.FillHome(t, e, sb,
		backuptest.Entry{Name: ".openclaw/workspace/memo", Body: "now"}, backuptest.Entry{Name: ".openclaw/workspace/new", Body: "now"},
		backuptest.Entry{Name: ".openclaw/plugins", Body: "now"}, backuptest.Entry{Name: "project", Body: "now"})
	request := restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb, Scope: restore.ScopeState, Consent: true}
	if _, err := restore.Restore(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, got := range nowIn(t, e, sb) {
		if got.Kind == tar.TypeReg {
			bodies[got.Name] = got.Body
		}
	}
	want := map[string]string{
		".openclaw/workspace/memo": "then", ".openclaw/openclaw.json": "{}", ".openclaw/plugins": "now", "project": "now",
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
}

// A mount inside the home may be a folder of the host: emptying it would lose what no backup of this sandbox promised to replace.
func TestRestoreNeverEmptiesAMount(t *testing.T) {
	e := backuptest.RealEngine(t)
	host := t.TempDir()
	sb := backuptest.RealSandbox(t, e, false, &container.HostConfig{
		Mounts: []mount.Mount{{Type: mount.TypeBind, Source: host, Target: "/sandbox/shared"}},
	})
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "shared/precious", Body: "1"}, backuptest.Entry{Name: "own", Body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "shared/since", Body: "2"}, backuptest.Entry{Name: "own", Body: "2"})
	summary, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true})
	if err != nil || !cmp.Equal(summary.Mounted, []string{"shared"}) {
		t.Errorf("mounted %q, %v", summary.Mounted, err)
	}
	if got := nowIn(t, e, sb); !hasBody(got, "shared/precious", "1") || !hasBody(got, "shared/since", "2") || !hasBody(got, "own", "1") {
		t.Errorf("home is %v", got)
	}
}

// The podman driver keeps the home in a named volume. It is replaced whole: newer files go.
func TestRestoreIntoAVolume(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, false, &container.HostConfig{
		Mounts: []mount.Mount{{Type: mount.TypeVolume, Target: "/sandbox"}},
	})
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "dir", Kind: tar.TypeDir}, backuptest.Entry{Name: "dir/a", Body: "then"}, backuptest.Entry{Name: "file", Body: "then"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "dir/b", Body: "now"}, backuptest.Entry{Name: "file", Body: "now"}, backuptest.Entry{Name: "extra", Body: "now"})
	if _, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true}); err != nil {
		t.Fatal(err)
	}
	got := nowIn(t, e, sb)
	if !hasBody(got, "dir/a", "then") || !hasBody(got, "file", "then") || hasBody(got, "extra", "now") || hasBody(got, "dir/b", "now") {
		t.Errorf("home is %v", got)
	}
}

// Agents' start scripts lock files with chattr. That is found while the sandbox still runs, not when the restore fails half way.
func TestRestoreRefusesLockedFilesBeforeTheStop(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	layer, err := e.Layer(t.Context(), sb.Container.ID)
	if err != nil {
		t.Skipf("SKIPPED, needs an engine with an overlay driver on this host: %v", err)
	}
	locked := filepath.Join(layer.Dir, "sandbox/a")
	if text, err := exec.Command("chattr", "+i", locked).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, needs root and a file system with flags: %v: %s", err, text)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", locked).Run() })

	before := nowIn(t, e, sb)
	_, err = restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true})
	if err == nil || !strings.Contains(err.Error(), "chattr -i -a "+locked) {
		t.Errorf("got %v, want a refusal that names %s", err, locked)
	}
	if diff := cmp.Diff(before, nowIn(t, e, sb)); diff != "" {
		t.Errorf("the home was changed:\n%s", diff)
	}
	backuptest.AssertRunning(t, e, sb, true)
}
