package backup

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/internal/storetest"
)

func realRun(t *testing.T, e *engine.Engine) *Options {
	t.Helper()
	return guarded(&Options{Store: storetest.NewStore(t, store.Options{}), Engine: e}, journal.PausedDir(t.TempDir()))
}

// guarded lets r pause, with this test binary as the guard and the records in dir.
func guarded(r *Options, dir string) *Options {
	r.Pauses = journal.Pauses(dir)
	r.Guard = func() (*home.Guardian, error) { return home.StartGuard([]string{"guard", dir}, env.Env{}) }
	return r
}

func TestRunSavesByteForByte(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, running := range []bool{true, false} {
		sb := backuptest.RealSandbox(t, e, running, nil)
		backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		r := realRun(t, e)
		summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
		if err != nil {
			t.Fatal(err)
		}
		o := summary.Sandboxes[0]
		if o.Status != store.BackedUp || o.Backup == nil || len(summary.Warnings) != 0 {
			t.Fatalf("got %+v, warnings %q", o, summary.Warnings)
		}
		want := map[bool]archive.Consistency{true: archive.ConsistencyPaused, false: archive.ConsistencyStopped}[running]
		if o.Backup.Consistency != want {
			t.Errorf("running %t: consistency %q, want %q", running, o.Backup.Consistency, want)
		}
		b, err := r.Store.Find(sb.Name, o.Backup.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(storetest.Settled(backuptest.OddHome()), storetest.ContentOf(t, r.Store, b), cmp.AllowUnexported(backuptest.Entry{})); diff != "" {
			t.Errorf("running %t: content differs (-want +got):\n%s", running, diff)
		}
		m := b.Manifest
		if m.Home != "/sandbox" || m.Inventory != "containers" || m.Image.Digest != sb.Container.ImageID || m.SandboxID != sb.ID {
			t.Errorf("manifest facts are wrong: %+v", m)
		}
		if diff := cmp.Diff([]string{"API_KEY", "PLAIN"}, m.Recipe.Env); diff != "" {
			t.Errorf("recipe env (-want +got):\n%s", diff)
		}
		backuptest.AssertRunning(t, e, sb, running)
		assertJournalEmpty(t, r)
	}
}

func assertJournalEmpty(t *testing.T, r *Options) {
	t.Helper()
	if there := journaltest.Values(t, r.Pauses); len(there) != 0 {
		t.Errorf("the shelf has %v", there)
	}
}

func TestRunRefusesHomeThatIsALink(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: ".", Kind: tar.TypeSymlink, Link: "/etc"})
	summary, err := realRun(t, e).All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil {
		t.Fatal(err)
	}
	o := summary.Sandboxes[0]
	if o.Status != store.Failed || !strings.Contains(o.Reason, `/sandbox is a symbolic link to "/etc"`) {
		t.Errorf("got %q, %q", o.Status, o.Reason)
	}
}
