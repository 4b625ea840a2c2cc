package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
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

// restored puts a backup into a sandbox and returns what the restore said.
func restored(t *testing.T, r *Options, e *engine.Engine, sb sandbox.Sandbox, b store.Backup) restore.Summary {
	t.Helper()
	summary, err := restore.Restore(t.Context(), restore.Request{Store: r.Store, Backup: b, Engine: e, Target: sb, Consent: true, Journal: t.TempDir()})
	if err != nil {
		t.Fatalf("%+v, %v", summary, err)
	}
	return summary
}

// beside is what lies beside the writable layer of a container.
func beside(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) (names []string) {
	t.Helper()
	at, err := e.OnHost(t.Context(), sb.Container.ID)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(at.Upper))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names
}

// TestARestoreOnTheDirectWayIsExact: into the home it came from, into one of another container that runs, and into one that was never started, a home
// comes back as it was; what was there before is a backup, and nothing else is left.
func TestARestoreOnTheDirectWayIsExact(t *testing.T) {
	e := backuptest.RealEngine(t)
	from := backuptest.RealSandbox(t, e, true, nil)
	dir := homeOnHost(t, e, from)
	backuptest.MakeOddTree(t, dir)
	want := backuptest.TreeFacts(t, dir)
	r := realRun(t, e)
	o, _ := savedAs(t, r, from)
	b, err := r.Store.Find(from.Name, o.Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	into := map[string]sandbox.Sandbox{
		"itself": from, "another that runs": backuptest.RealSandbox(t, e, true, nil), "one that was never started": backuptest.RealSandbox(t, e, false, nil),
	}
	for name, sb := range into {
		before := map[string]string{}
		if name != "one that was never started" {
			before = changed(t, homeOnHost(t, e, sb))
		}
		began := sb.Container.State
		summary := restored(t, r, e, sb, b)
		if summary.Way != archive.WayDirect || !summary.Done || len(summary.Warnings) > 0 || len(summary.Missing) > 0 {
			t.Errorf("%s: %+v", name, summary)
		}
		c, err := e.Inspect(t.Context(), sb.Container.ID)
		if err != nil || c.State != began && began == "running" || c.Running() != (began == "running") {
			t.Errorf("%s: it was %s and is %s, %v", name, began, c.State, err)
		}
		if !c.Running() {
			if err := e.Start(t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, backuptest.TreeFacts(t, homeOnHost(t, e, sb))); diff != "" {
			t.Errorf("%s (-backup +sandbox)\n%s", name, diff)
		}
		if left := beside(t, e, sb); len(left) > 0 {
			t.Errorf("%s: left beside the layer: %q", name, left)
		}
		if len(before) == 0 {
			continue
		}
		kept, err := r.Store.Find(sb.Name, summary.Previous)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, backuptest.TreeFacts(t, unpacked(t, r.Store, kept))); diff != "" {
			t.Errorf("%s: what was there before (-sandbox +backup)\n%s", name, diff)
		}
	}
}

// changed works in a home, and is what it is like then.
func changed(t *testing.T, dir string) map[string]string {
	t.Helper()
	_ = os.Remove(dir + "/times/exact")
	path := dir + "/worked"
	if err := errors.Join(os.WriteFile(path, []byte("since"), 0o640), unix.Setxattr(path, "user.worked", []byte("yes"), 0), os.Chown(path, 1000, 7)); err != nil {
		t.Fatal(err)
	}
	return backuptest.TreeFacts(t, dir)
}

// TestWhatNoBackupHoldsIsCarriedOver: a pipe and a socket of the home stay through a restore, at their place, and the times of the folders with them.
func TestWhatNoBackupHoldsIsCarriedOver(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	dir := homeOnHost(t, e, sb)
	at := unix.Timespec{Sec: 1500000000}
	for _, err := range []error{
		os.Mkdir(dir+"/run", 0o750), unix.Mkfifo(dir+"/run/pipe", 0o640), unix.Mknod(dir+"/run/socket", unix.S_IFSOCK|0o600, 0), os.WriteFile(dir+"/run/file", []byte("x"), 0o644),
		os.Chown(dir+"/run/pipe", 1000, 1000), unix.UtimesNanoAt(unix.AT_FDCWD, dir+"/run", []unix.Timespec{at, at}, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := backuptest.TreeFacts(t, dir)
	r := realRun(t, e)
	o, _ := savedAs(t, r, sb)
	if len(o.Omitted) != 2 || o.Omitted[0].Kind != archive.LeftOutSpecial {
		t.Errorf("left out: %+v", o.Omitted)
	}
	b, err := r.Store.Find(sb.Name, o.Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	summary := restored(t, r, e, sb, b)
	if diff := cmp.Diff(want, backuptest.TreeFacts(t, homeOnHost(t, e, sb))); diff != "" {
		t.Errorf("(-before +after)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"run/pipe", "run/socket"}, summary.Kept); diff != "" || len(summary.Missing) > 0 {
		t.Errorf("kept %s, missing %+v", diff, summary.Missing)
	}
}
