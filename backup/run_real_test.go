package backup

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
)

func realRun(t *testing.T, e *engine.Engine) *Run {
	t.Helper()
	journal := PausedDir(t.TempDir())
	return &Run{Store: newStore(t, StoreOptions{}), Engine: e, Journal: journal, GuardCommand: []string{"guard", journal}}
}

func TestRunSavesByteForByte(t *testing.T) {
	e := realEngine(t)
	for _, running := range []bool{true, false} {
		sb := realSandbox(t, e, running, nil)
		fillHome(t, e, sb, oddHome()...)
		r := realRun(t, e)
		summary, err := r.All(t.Context(), inventoryOf(sb))
		if err != nil {
			t.Fatal(err)
		}
		o := summary.Sandboxes[0]
		if o.Status != BackedUp || o.Backup == nil || len(summary.Warnings) != 0 {
			t.Fatalf("got %+v, warnings %q", o, summary.Warnings)
		}
		want := map[bool]Consistency{true: ConsistencyPaused, false: ConsistencyStopped}[running]
		if o.Backup.Consistency != want {
			t.Errorf("running %t: consistency %q, want %q", running, o.Backup.Consistency, want)
		}
		b, err := r.Store.Find(sb.Name, o.Backup.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(settled(oddHome()), contentOf(t, r.Store, b), cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("running %t: content differs (-want +got):\n%s", running, diff)
		}
		m := b.Manifest
		if m.Home != "/sandbox" || m.Inventory != "containers" || m.Image.Digest != sb.Container.ImageID || m.SandboxID != sb.ID {
			t.Errorf("manifest facts are wrong: %+v", m)
		}
		if diff := cmp.Diff([]string{"API_KEY", "PLAIN"}, m.Recipe.Env); diff != "" {
			t.Errorf("recipe env (-want +got):\n%s", diff)
		}
		assertRunning(t, e, sb, running)
		assertJournalEmpty(t, r)
	}
}

func assertJournalEmpty(t *testing.T, r *Run) {
	t.Helper()
	entries, err := (&journal{dir: r.Journal}).list()
	if err != nil || len(entries) != 0 {
		t.Errorf("the pause journal holds %v, %v", entries, err)
	}
}

func TestRunRefusesHomeThatIsALink(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, false, nil)
	fillHome(t, e, sb, entry{name: ".", kind: tar.TypeSymlink, link: "/etc"})
	summary, err := realRun(t, e).All(t.Context(), inventoryOf(sb))
	if err != nil {
		t.Fatal(err)
	}
	o := summary.Sandboxes[0]
	if o.Status != Failed || !strings.Contains(o.Reason, `/sandbox is a symbolic link to "/etc"`) {
		t.Errorf("got %q, %q", o.Status, o.Reason)
	}
}
