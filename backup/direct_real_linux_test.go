package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/backup/tree"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// homeOnHost is the home of a running container as root of this host sees it.
func homeOnHost(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) string {
	t.Helper()
	at, err := e.OnHost(t.Context(), sb.Container.ID)
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("needs root on the host of the engine: %v", err)
	}
	return fmt.Sprintf("/proc/%d/root/sandbox", at.Pid)
}

// unpacked writes a backup into a folder.
func unpacked(t *testing.T, s *store.Store, b store.Backup) string {
	t.Helper()
	r, err := s.Open(t.Context(), b, archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dir := t.TempDir()
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	for w := tree.NewWriter(folder); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			if err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Name = archive.CleanName(h.Name)
		if err := w.Add(h, r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheDirectWayKeepsEverything: the home of a real container, running and stopped, with everything in it that naive copies lose, is in its
// backup as it is in the sandbox.
func TestTheDirectWayKeepsEverything(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	dir := homeOnHost(t, e, sb)
	backuptest.MakeOddTree(t, dir)
	want := backuptest.TreeFacts(t, dir)
	for _, consistency := range []archive.Consistency{archive.ConsistencyPaused, archive.ConsistencyStopped} {
		if consistency == archive.ConsistencyStopped {
			if err := e.Stop(t.Context(), sb.Container.ID); err != nil {
				t.Fatal(err)
			}
		}
		r := realRun(t, e)
		summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
		if err != nil || summary.Totals.BackedUp != 1 {
			t.Fatalf("%+v, %v", summary, err)
		}
		o := summary.Sandboxes[0]
		if o.Backup.Way != archive.WayDirect || o.Backup.Consistency != consistency || len(o.Omitted)+len(o.Warnings) > 0 {
			b, _ := r.Store.Find(sb.Name, o.Backup.ID)
			t.Errorf("%s: %+v, %q, %+v", consistency, o.Backup, b.Manifest.WayReason, o)
		}
		b, err := r.Store.Find(sb.Name, o.Backup.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, backuptest.TreeFacts(t, unpacked(t, r.Store, b))); diff != "" {
			t.Errorf("%s (-sandbox +backup)\n%s", consistency, diff)
		}
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), "redirect_dir=nofollow") {
			t.Errorf("%s: a mount was left behind, or %v", consistency, err)
		}
	}
}

// savedAs backs a sandbox up and returns the outcome with the files of the backup.
func savedAs(t *testing.T, r *Options, sb sandbox.Sandbox) (Outcome, map[string]string) {
	t.Helper()
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || summary.Totals.BackedUp != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	o, files := summary.Sandboxes[0], map[string]string{}
	b, err := r.Store.Find(sb.Name, o.Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range storetest.ContentOf(t, r.Store, b) {
		files[e.Name] = e.Body
	}
	return o, files
}

// TestMountsInTheHomeOnTheDirectWay: a volume is read as a part of the home, a tmpfs is left out and named, and a stopped container, which has
// neither, is the engine's to read.
func TestMountsInTheHomeOnTheDirectWay(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, &container.HostConfig{
		Mounts: []mount.Mount{{Type: mount.TypeVolume, Target: "/sandbox/kept"}}, Tmpfs: map[string]string{"/sandbox/gone": ""},
	})
	dir := homeOnHost(t, e, sb)
	for _, name := range []string{"/own", "/kept/in-volume", "/gone/in-memory"} {
		if err := os.WriteFile(dir+name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o, files := savedAs(t, realRun(t, e), sb)
	_, gone := files["gone/in-memory"]
	if o.Backup.Way != archive.WayDirect || files["own"] == "" || files["kept/in-volume"] == "" || gone {
		t.Errorf("%s: %q", o.Backup.Way, files)
	}
	if len(o.Omitted) != 1 || o.Omitted[0].Path != "gone" {
		t.Errorf("left out: %+v", o.Omitted)
	}
	if err := e.Stop(t.Context(), sb.Container.ID); err != nil {
		t.Fatal(err)
	}
	o, files = savedAs(t, realRun(t, e), sb)
	if o.Backup.Way != archive.WayEngine || !strings.Contains(o.Backup.WayReason, "mounted") || files["own"] == "" {
		t.Errorf("stopped: %s (%s): %q", o.Backup.Way, o.Backup.WayReason, files)
	}
}

// TestTheEnginesWayWhereItIsAskedFor: the run never goes direct then, and a backup of the engine's way does not stand for a direct one that could be made.
func TestTheEnginesWayWhereItIsAskedFor(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	note := homeOnHost(t, e, sb) + "/note"
	if err := errors.Join(os.WriteFile(note, []byte("x"), 0o644), unix.Setxattr(note, "user.mark", []byte("m"), 0)); err != nil {
		t.Fatal(err)
	}
	r := realRun(t, e)
	r.EngineWay = true
	if o, _ := savedAs(t, r, sb); o.Backup.Way != archive.WayEngine || o.Backup.WayReason == "" {
		t.Errorf("%+v", o.Backup)
	}
	time.Sleep(home.Tick + time.Second) // the standing counts from here on
	if o, _ := savedAs(t, r, sb); o.Backup.Way != archive.WayEngine {
		t.Errorf("%+v", o.Backup)
	}
	r.EngineWay = false
	o, _ := savedAs(t, r, sb)
	if o.Backup.Way != archive.WayDirect || o.Backup.ContentOf != "" {
		t.Errorf("the home was not read again on the direct way: %+v", o.Backup)
	}
	if o, _ := savedAs(t, r, sb); o.Backup.Way != archive.WayDirect || o.Backup.ContentOf == "" {
		t.Errorf("an unchanged home was read again: %+v", o.Backup)
	}
}
