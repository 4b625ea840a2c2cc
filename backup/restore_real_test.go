package backup

import (
	"archive/tar"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

// nowIn reads a container's home as test entries.
func nowIn(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) []entry {
	t.Helper()
	h := containerHome{engine: e, id: sb.Container.ID, dir: "/sandbox"}
	stream, base, err := h.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var entries []entry
	err = eachEntry(stream, base, func(name string, h *tar.Header, content io.Reader) error {
		var body strings.Builder
		buffer := make([]byte, 64<<10)
		for {
			n, err := content.Read(buffer)
			body.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		entries = append(entries, entry{name: name, body: body.String(), link: h.Linkname, kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func backedUp(t *testing.T, r *Run, sb sandbox.Sandbox) Backup {
	t.Helper()
	summary, err := r.All(t.Context(), inventoryOf(sb))
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
	e := realEngine(t)
	for _, running := range []bool{true, false} {
		sb := realSandbox(t, e, running, nil)
		fillHome(t, e, sb, oddHome()...)
		r := realRun(t, e)
		b := backedUp(t, r, sb)
		fillHome(t, e, sb,
			entry{name: "a", body: "overwritten"}, entry{name: "added", kind: tar.TypeDir}, entry{name: "added/later", body: "x"},
			entry{name: "emptydir", kind: tar.TypeSymlink, link: "/etc"}, // a trap: the restore must not write through it
		)
		request := RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: sb}
		_, err := Restore(t.Context(), request)
		if refusal, ok := errors.AsType[*ConsentError](err); !ok || refusal.Entries == 0 {
			t.Fatalf("without consent: %v", err)
		}
		request.Consent = true
		summary, err := Restore(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(settled(oddHome()), nowIn(t, e, sb), cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("running %t: home differs (-want +got):\n%s", running, diff)
		}
		if !summary.Done || summary.Previous == "" || summary.Files != 11 {
			t.Errorf("summary %+v", summary)
		}
		assertRunning(t, e, sb, running)
		previous, err := r.Store.Find(sb.Name, summary.Previous)
		if err != nil || previous.Manifest.Label != LabelBeforeRestore {
			t.Errorf("the replaced content was not kept: %+v, %v", previous, err)
		}
		if again := contentOf(t, r.Store, previous); !hasBody(again, "a", "overwritten") || !hasBody(again, "added/later", "x") {
			t.Error("the kept backup does not hold what was replaced")
		}
	}
}

func hasBody(entries []entry, name, body string) bool {
	for _, e := range entries {
		if e.name == name {
			return e.body == body
		}
	}
	return false
}

func TestRestoreDryRunChangesNothing(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, false, nil)
	fillHome(t, e, sb, entry{name: "same", body: "1"}, entry{name: "changed", body: "1"}, entry{name: "gone", body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	other := realSandbox(t, e, false, nil)
	fillHome(t, e, other, entry{name: "same", body: "1"}, entry{name: "changed", body: "2"}, entry{name: "extra", body: "1"})
	before := nowIn(t, e, other)
	summary, err := Restore(t.Context(), RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: other, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{summary.Added, summary.Changed, summary.Removed}
	if diff := cmp.Diff([][]string{{"gone"}, {"changed"}, {"extra"}}, got); diff != "" || summary.Done {
		t.Errorf("plan (-want +got):\n%s done %t", diff, summary.Done)
	}
	if diff := cmp.Diff(before, nowIn(t, e, other), cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("a dry run changed the home:\n%s", diff)
	}
	if folders, err := r.Store.Sandboxes(); err != nil || len(folders) != 1 {
		t.Errorf("a dry run wrote to the store: %q, %v", folders, err)
	}
}

// TestRestoreDryRunSaysThatItWouldBeRefused: what is mounted in the home would be emptied with it.
func TestRestoreDryRunSaysThatItWouldBeRefused(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, false, nil)
	fillHome(t, e, sb, entry{name: "a", body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	folder := t.TempDir()
	other := realSandbox(t, e, false, &container.HostConfig{Binds: []string{folder + ":/sandbox/m"}})
	summary, err := Restore(t.Context(), RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: other, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(summary.Warnings, "\n"); !strings.Contains(said, "this restore would be refused: ") || !strings.Contains(said, folder) {
		t.Errorf("warnings = %q", said)
	}
}

func TestRestoreGivesOwnersOfTheTarget(t *testing.T) {
	e := realEngine(t)
	from := realSandbox(t, e, false, nil)
	fillHome(t, e, from, entry{name: ".", kind: tar.TypeDir, uid: 998}, entry{name: "mine", body: "1", uid: 998}, entry{name: "roots", body: "2"})
	r := realRun(t, e)
	b := backedUp(t, r, from)
	to := realSandbox(t, e, false, nil)
	fillHome(t, e, to, entry{name: ".", kind: tar.TypeDir, uid: 1234})
	if _, err := Restore(t.Context(), RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: to}); err != nil {
		t.Fatal(err)
	}
	owners := map[string]int{}
	for _, got := range nowIn(t, e, to) {
		owners[got.name] = got.uid
	}
	if diff := cmp.Diff(map[string]int{".": 1234, "mine": 1234, "roots": 0}, owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestRestoreOfStateLeavesTheRest(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, true, nil)
	fillHome(t, e, sb,
		entry{name: ".openclaw", kind: tar.TypeDir}, entry{name: ".openclaw/workspace", kind: tar.TypeDir},
		entry{name: ".openclaw/workspace/memo", body: "then"}, entry{name: ".openclaw/openclaw.json", body: "{}"},
		entry{name: ".openclaw/plugins", body: "then"}, entry{name: "project", body: "then"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	fillHome(t, e, sb,
		entry{name: ".openclaw/workspace/memo", body: "now"}, entry{name: ".openclaw/workspace/new", body: "now"},
		entry{name: ".openclaw/plugins", body: "now"}, entry{name: "project", body: "now"})
	request := RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: sb, Scope: ScopeState, Consent: true}
	if _, err := Restore(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, got := range nowIn(t, e, sb) {
		if got.kind == tar.TypeReg {
			bodies[got.name] = got.body
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
	e := realEngine(t)
	host := t.TempDir()
	sb := realSandbox(t, e, false, &container.HostConfig{
		Mounts: []mount.Mount{{Type: mount.TypeBind, Source: host, Target: "/sandbox/shared"}},
	})
	fillHome(t, e, sb, entry{name: "shared/precious", body: "1"}, entry{name: "own", body: "1"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	_, err := Restore(t.Context(), RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true})
	if err == nil || !strings.Contains(err.Error(), "/sandbox/shared mounted from") {
		t.Errorf("got %v", err)
	}
	if got := nowIn(t, e, sb); !hasBody(got, "shared/precious", "1") || !hasBody(got, "own", "1") {
		t.Errorf("the refused restore changed the home: %v", got)
	}
}

// The podman driver keeps the home in a named volume, which cannot be replaced as a whole.
func TestRestoreIntoAVolume(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, false, &container.HostConfig{
		Mounts: []mount.Mount{{Type: mount.TypeVolume, Target: "/sandbox"}},
	})
	fillHome(t, e, sb, entry{name: "dir", kind: tar.TypeDir}, entry{name: "dir/a", body: "then"}, entry{name: "file", body: "then"})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	fillHome(t, e, sb, entry{name: "dir/b", body: "now"}, entry{name: "file", body: "now"}, entry{name: "extra", body: "now"})
	if _, err := Restore(t.Context(), RestoreRequest{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true}); err != nil {
		t.Fatal(err)
	}
	got := nowIn(t, e, sb)
	if !hasBody(got, "dir/a", "then") || !hasBody(got, "file", "then") || !hasBody(got, "extra", "now") || hasBody(got, "dir/b", "now") {
		t.Errorf("home is %v", got)
	}
}
