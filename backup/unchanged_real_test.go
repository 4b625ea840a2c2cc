//go:build linux

package backup

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// savedNow makes one backup and gives its manifest, with the content that it holds.
func savedNow(t *testing.T, r *Options, sb sandbox.Sandbox) (*archive.Manifest, []backuptest.Entry) {
	t.Helper()
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || summary.Sandboxes[0].Status != store.BackedUp {
		t.Fatalf("%v, %+v", err, summary.Sandboxes)
	}
	b, err := r.Store.Find(sb.Name, summary.Sandboxes[0].Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Store.Verify(t.Context(), b, true); err != nil {
		t.Error(err)
	}
	return b.Manifest, storetest.ContentOf(t, r.Store, b)
}

// readable skips where the layers of containers cannot be looked into: then every home is read, and there is nothing to see.
func readable(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) {
	t.Helper()
	h := home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}
	if _, err := h.Standing(t.Context(), time.Now()); err != nil {
		if os.Getenv("SANDKEEPER_REQUIRE_DOCKER") == "1" && os.Getuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, needs to look into the layers of containers: %v", err)
	}
}

// settle waits until a change that comes now cannot have the time of one that was before.
func settle() { time.Sleep(home.Tick + 100*time.Millisecond) }

// flushedFirst lets the read wait for the disk. A disk that takes longer than the read costs the backup its standing: not what is
// tried here, and a matter of chance on a disk that others write to.
func flushedFirst(t *testing.T) func(dir string) <-chan struct{} {
	return func(dir string) <-chan struct{} {
		done := home.Flushing(dir)
		select {
		case <-done:
		case <-time.After(5 * time.Minute):
			t.Error("the disk did not take what was written")
		}
		return done
	}
}

// TestSlowDiskLeavesNoStanding: what a sandbox wrote through a mapping may be written to again, without a trace, until it is on the disk.
func TestSlowDiskLeavesNoStanding(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	readable(t, e, sb)
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	r := realRun(t, e)
	r.flushing = func(string) <-chan struct{} { return nil } // never comes about
	settle()
	if m, _ := savedNow(t, r, sb); m.Standing != nil || m.Looked != nil {
		t.Errorf("before the disk had everything the home has standing %+v, and its files %+v", m.Standing, m.Looked)
	}
}

// TestUnchangedHomeIsNotReadAgain holds the promise of a second backup, and everything that must end it.
func TestUnchangedHomeIsNotReadAgain(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, running := range []bool{true, false} {
		sb := backuptest.RealSandbox(t, e, running, nil)
		readable(t, e, sb)
		backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		r := realRun(t, e)
		r.flushing = flushedFirst(t)
		settle()
		first, content := savedNow(t, r, sb)
		if first.Standing == nil || first.ContentOf != "" {
			t.Fatalf("running %t: the first backup has standing %v, content of %q", running, first.Standing, first.ContentOf)
		}
		second, again := savedNow(t, r, sb)
		third, _ := savedNow(t, r, sb)
		if second.ContentOf != first.ID || third.ContentOf != first.ID {
			t.Errorf("running %t: the files are of %q and %q, want %q", running, second.ContentOf, third.ContentOf, first.ID)
		}
		if diff := cmp.Diff(content, again, cmp.AllowUnexported(backuptest.Entry{})); diff != "" {
			t.Errorf("running %t: content differs (-first +second):\n%s", running, diff)
		}
		if diff := cmp.Diff(first.Exclusions, second.Exclusions); diff != "" || second.Consistency != first.Consistency || second.Content != first.Content || second.Blocks.Added > 0 {
			t.Errorf("running %t: %q, %v, exclusions (-first +second):\n%s", running, second.Consistency, second.Blocks, diff)
		}
		r.Reread = true
		if m, _ := savedNow(t, r, sb); m.ContentOf != "" {
			t.Errorf("running %t: asked to read again, it took the files of %q", running, m.ContentOf)
		}
		r.Reread = false
		backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "a", Body: "HELLO", Uid: 998}) // as long as before, and with the same time
		changed, now := savedNow(t, r, sb)
		if changed.ContentOf != "" || changed.Content.Digest == first.Content.Digest || len(now) != len(content) {
			t.Errorf("running %t: after a change the files are of %q, digest %q", running, changed.ContentOf, changed.Content.Digest)
		}
		backuptest.AssertRunning(t, e, sb, running)
		assertJournalEmpty(t, r)
	}
}

// TestFreshChangeLeavesNoStanding: a change within the tick could be followed by one with the same time.
func TestFreshChangeLeavesNoStanding(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	readable(t, e, sb)
	r := realRun(t, e)
	r.flushing = flushedFirst(t)
	r.Progress = func(event home.Event) {
		if event.Stage == home.StageReading && event.Bytes == 0 { // right before the look
			backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		}
	}
	if m, _ := savedNow(t, r, sb); m.Standing != nil {
		t.Errorf("a home that was written to just now has standing %+v", m.Standing)
	}
}

// TestChangeDuringFlushIsNotSettled: a page that was written to while the disk was slow stays writable, without a new ctime.
func TestChangeDuringFlushIsNotSettled(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	readable(t, e, sb)
	h := home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}
	begun := time.Now()
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	settle()
	if seen, err := h.Standing(t.Context(), begun); err != nil || seen.Settled {
		t.Errorf("changed after the flush began: settled %t, %v", seen.Settled, err)
	}
	if seen, err := h.Standing(t.Context(), time.Now()); err != nil || !seen.Settled {
		t.Errorf("changed long ago: settled %t, %v", seen.Settled, err)
	}
}

// TestMountedHomeHasNoStanding: what lies in a mount is not in the layer.
func TestMountedHomeHasNoStanding(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, target := range []string{"/sandbox", "/sandbox/cache"} {
		sb := backuptest.RealSandbox(t, e, true, &container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeBind, Source: t.TempDir(), Target: target}}})
		r := realRun(t, e)
		r.flushing = flushedFirst(t)
		settle()
		if m, _ := savedNow(t, r, sb); m.Standing != nil {
			t.Errorf("with %s mounted it has standing %+v", target, m.Standing)
		}
	}
}

// TestDamagedBackupIsNotTakenOver: the home is read again when the archive that would be taken over is not what it was.
func TestDamagedBackupIsNotTakenOver(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	readable(t, e, sb)
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	r := realRun(t, e)
	r.flushing = flushedFirst(t)
	settle()
	first, content := savedNow(t, r, sb)
	b, err := r.Store.Find(sb.Name, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	flipByte(t, b.ArchivePath(), first.Archive.Bytes/2)
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || summary.Sandboxes[0].Status != store.BackedUp {
		t.Fatalf("%v, %+v", err, summary.Sandboxes)
	}
	o := summary.Sandboxes[0]
	if o.Backup.ContentOf != "" {
		t.Errorf("the files of the damaged backup %q were taken over", o.Backup.ContentOf)
	}
	if said := strings.Join(o.Warnings, "\n"); !strings.Contains(said, first.ID+"/archive.tar.zst: an earlier backup is damaged") || !strings.Contains(said, "backups verify") {
		t.Errorf("warnings = %q", said)
	}
	second, err := r.Store.Find(sb.Name, o.Backup.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content, storetest.ContentOf(t, r.Store, second), cmp.AllowUnexported(backuptest.Entry{})); diff != "" {
		t.Errorf("content differs (-first +second):\n%s", diff)
	}
}

func flipByte(t *testing.T, path string, at int64) {
	t.Helper()
	content, err := os.ReadFile(path)
	backuptest.Must(t, errors.Join(err, os.Chmod(path, 0o600)))
	content[at] ^= 1
	backuptest.Must(t, os.WriteFile(path, content, 0o600))
}
