package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

func fakeRun(t *testing.T, f *backuptest.FakeEngine) *Options {
	t.Helper()
	return &Options{Store: storetest.NewStore(t, store.Options{}), containers: f, PauseLimit: -1}
}

func TestRunJudgesEveryStanding(t *testing.T) {
	f := backuptest.NewFakeEngine()
	c := engine.Container{ID: backuptest.IdA, Name: "one"}
	d := engine.Container{ID: backuptest.IdB, Name: "two"}
	for name, tt := range map[string]struct {
		sb     sandbox.Sandbox
		status store.Status
		reason string
	}{
		"orphaned":   {sandbox.Sandbox{Standing: sandbox.Orphaned}, store.Orphaned, "without a container"},
		"ambiguous":  {sandbox.Sandbox{Standing: sandbox.Ambiguous, Rivals: []engine.Container{c, d}}, store.Failed, `"one", "two"`},
		"bad name":   {sandbox.Sandbox{Name: "../x", Standing: sandbox.BadName}, store.Skipped, `"../x"`},
		"path name":  {sandbox.Sandbox{Name: "a/b", Standing: sandbox.Ready, Route: sandbox.ByExec}, store.Skipped, `"a/b"`},
		"unknown":    {sandbox.Sandbox{Name: "a", Standing: sandbox.Unknown, Reason: "engine silent"}, store.Failed, "engine silent"},
		"not ready":  {sandbox.Sandbox{Name: "a", Standing: sandbox.NotReady, Listed: true, Phase: "Error"}, store.Skipped, `phase "Error"`},
		"no route":   {sandbox.Sandbox{Name: "a", Standing: sandbox.NotReady}, store.Skipped, "no container on this host"},
		"offline":    {sandbox.Sandbox{Name: "a", Standing: sandbox.Ready, Route: sandbox.ByExec}, store.Skipped, "no gateway is asked"},
		"vanished":   {sandbox.Sandbox{Name: "a", Standing: sandbox.Ready, Route: sandbox.ByContainer}, store.Failed, "not known"},
		"to be done": {sandbox.Sandbox{Name: "a", Standing: sandbox.Stopped, Route: sandbox.ByContainer, Container: &c}, "", ""},
	} {
		v := (&Options{containers: f}).judge(tt.sb)
		if v.status != tt.status || !strings.Contains(v.reason, tt.reason) || (v.status != "" && v.reason == "") {
			t.Errorf("%s: got %q, %q", name, v.status, v.reason)
		}
	}
	v := (&Options{}).judge(sandbox.Sandbox{Name: "a", Standing: sandbox.Ready, Route: sandbox.ByContainer, Container: &c})
	if v.status != store.Failed {
		t.Errorf("without an engine: %+v", v)
	}
}

// Totals add up whatever the inventory, and nothing is counted as saved that has no backup.
func TestRunTotalsAlwaysAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	standings := []sandbox.Standing{
		sandbox.Ready, sandbox.Stopped, sandbox.NotReady, sandbox.Orphaned, sandbox.Ambiguous, sandbox.BadName, sandbox.Unknown, "new one",
	}
	routes := []sandbox.Route{sandbox.ByContainer, sandbox.ByExec, sandbox.NoRoute}
	for range 40 {
		f := backuptest.NewFakeEngine()
		var inv sandbox.Inventory
		for i := range random.IntN(8) {
			sb := f.Add(strings.Repeat(string(rune('a'+random.IntN(6))), 64), "exited", backuptest.Entry{Name: "f", Body: "x"})
			sb.Name = string(rune('a' + i))
			sb.Standing, sb.Route = standings[random.IntN(len(standings))], routes[random.IntN(len(routes))]
			sb.Registered = random.IntN(2) == 0
			inv.Sandboxes = append(inv.Sandboxes, sb)
		}
		f.Broken.Read = func(id string) error {
			switch id[0] {
			case 'a':
				return errors.New("broken")
			case 'b':
				panic("a worker's panic")
			}
			return nil
		}
		summary, err := fakeRun(t, f).All(t.Context(), inv)
		if err != nil {
			t.Fatal(err)
		}
		got := summary.Totals
		if got.BackedUp+got.Failed+got.Skipped+got.Orphaned != got.Total || got.Total != len(inv.Sandboxes) || got.Planned != 0 {
			t.Fatalf("%+v of %d sandboxes", got, len(inv.Sandboxes))
		}
		for _, o := range summary.Sandboxes {
			if (o.Status == store.BackedUp) != (o.Backup != nil) || (o.Status != store.BackedUp && o.Reason == "") {
				t.Fatalf("outcome %+v", o)
			}
		}
	}
}

func TestRunOneBadSandboxCostsOnlyItself(t *testing.T) {
	f := backuptest.NewFakeEngine()
	good, bad := f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "f", Body: "x"}), f.Add(backuptest.IdB, "exited")
	f.Broken.Read = func(id string) error {
		if id == backuptest.IdB {
			panic("surprise")
		}
		return nil
	}
	summary, err := fakeRun(t, f).All(t.Context(), backuptest.InventoryOf(bad, good))
	if err != nil || summary.Totals != (Totals{Total: 2, Registered: 2, BackedUp: 1, Failed: 1}) {
		t.Fatalf("%+v, %v", summary.Totals, err)
	}
	if o := summary.Sandboxes[1]; !strings.Contains(o.Reason, "internal error: surprise (run_test.go:") {
		t.Errorf("reason %q", o.Reason)
	}
}

func TestRunChoosesByName(t *testing.T) {
	f := backuptest.NewFakeEngine()
	a, b := f.Add(backuptest.IdA, "exited"), f.Add(backuptest.IdB, "exited")
	for _, tt := range []struct {
		only, exclude, want []string
	}{
		{nil, nil, []string{"box-aa", "box-bb"}},
		{[]string{"box-bb"}, nil, []string{"box-bb"}},
		{nil, []string{"box-bb"}, []string{"box-aa"}},
		{[]string{"box-aa"}, []string{"box-aa"}, nil},
	} {
		r := fakeRun(t, f)
		r.Only, r.Exclude, r.DryRun = tt.only, tt.exclude, true
		summary, err := r.All(t.Context(), backuptest.InventoryOf(b, a))
		var got []string
		for _, o := range summary.Sandboxes {
			got = append(got, o.Name)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("only %q exclude %q: %q, %v", tt.only, tt.exclude, got, err)
		}
	}
	r := fakeRun(t, f)
	r.Only = []string{"box-zz"}
	_, err := r.All(t.Context(), backuptest.InventoryOf(a))
	if missing, ok := errors.AsType[*UnknownSandboxError](err); !ok || missing.Name != "box-zz" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	r.DryRun = true
	f.Broken.Read = func(string) error { return errors.New("was read") }
	summary, err := r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "running")))
	if err != nil || summary.Totals != (Totals{Total: 1, Registered: 1, Skipped: 1, Planned: 1}) || !summary.Sandboxes[0].Planned {
		t.Errorf("%+v, %v", summary, err)
	}
	if names, err := r.Store.Sandboxes(); err != nil || len(names) != 0 || len(f.Calls) != 0 {
		t.Errorf("the dry run did something: %q, %q, %v", names, f.Calls, err)
	}
	if _, err := os.Stat(r.Store.Root()); err == nil {
		t.Error("the dry run made the backup folder")
	}
}

func TestRunAsksForRoomFirst(t *testing.T) {
	f := backuptest.NewFakeEngine()
	f.Size = 1 << 62
	r := fakeRun(t, f)
	_, err := r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "exited")))
	short, ok := errors.AsType[*NoRoomError](err)
	if !ok || short.Need != 1<<61 || short.Free <= 0 || !strings.Contains(err.Error(), "free in "+r.Store.Root()) {
		t.Fatalf("got %v", err)
	}
	if found, _ := r.Store.Backups("box-aa"); len(found) != 0 {
		t.Error("a backup was begun all the same")
	}
}

// The first backup of a sandbox is held against what its engine says that it has written, so that it has an end in sight too.
func TestAFirstBackupHasAnEndInSight(t *testing.T) {
	f := backuptest.NewFakeEngine()
	f.Size = 12345
	r := fakeRun(t, f)
	var expected []int64
	r.Progress = func(e home.Event) { expected = append(expected, e.Expect) }
	if _, err := r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "exited"))); err != nil || len(expected) == 0 || slices.Max(expected) != 12345 {
		t.Errorf("expected %v, %v", expected, err)
	}
}

func TestRunIsLockedOut(t *testing.T) {
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	lock, err := r.Store.Lock("somebody")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	_, err = r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "exited")))
	if _, ok := errors.AsType[*store.LockedError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestInterruptedRunAccountsForAll(t *testing.T) {
	f := backuptest.NewFakeEngine()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("interrupted by the operator")
	r := fakeRun(t, f)
	r.Jobs = 1
	r.Progress = func(e home.Event) {
		if e.Sandbox == "box-aa" && e.Stage == home.StageDone {
			cancel(reason)
		}
	}
	summary, err := r.All(ctx, backuptest.InventoryOf(f.Add(backuptest.IdA, "exited"), f.Add(backuptest.IdB, "exited")))
	if !errors.Is(err, reason) || summary.Totals != (Totals{Total: 2, Registered: 2, BackedUp: 1, Failed: 1}) {
		t.Errorf("%+v, %v", summary.Totals, err)
	}
	if !strings.Contains(summary.Sandboxes[1].Reason, "interrupted before it was saved") {
		t.Errorf("reason %q", summary.Sandboxes[1].Reason)
	}
}

func TestRunSummaryIsTheContract(t *testing.T) {
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	r.Label = "nightly"
	summary, err := r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "f", Body: "x"})))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Root      string
		Totals    map[string]int
		Sandboxes []map[string]any
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"total": 1, "registered": 1, "backedUp": 1, "failed": 0, "skipped": 0, "orphaned": 0}
	if diff := cmp.Diff(want, got.Totals); diff != "" || got.Root != r.Store.Root() {
		t.Errorf("root %q, totals (-want +got):\n%s", got.Root, diff)
	}
	for _, key := range []string{"name", "registered", "status", "reason", "backup", "tookMs"} {
		if _, found := got.Sandboxes[0][key]; !found {
			t.Errorf("sandboxes[0] has no %q: %s", key, text)
		}
	}
	made, _ := got.Sandboxes[0]["backup"].(map[string]any)
	for _, key := range []string{"id", "path", "bytes", "files", "sha256", "consistency"} {
		if _, found := made[key]; !found {
			t.Errorf("backup has no %q: %s", key, text)
		}
	}
	b, err := r.Store.Find("box-aa", store.Latest)
	if err != nil || b.Manifest.Label != "nightly" || b.Manifest.Recipe.Labels["api-token"] != "" || b.Manifest.Recipe.Labels["a"] != "b" {
		t.Errorf("manifest %+v, %v", b.Manifest, err)
	}
}

func TestStagesComeInOrder(t *testing.T) {
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	var stages []home.Stage
	r.Progress = func(e home.Event) {
		if len(stages) == 0 || stages[len(stages)-1] != e.Stage {
			stages = append(stages, e.Stage)
		}
	}
	if _, err := r.All(t.Context(), backuptest.InventoryOf(f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "f", Body: "x"}))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]home.Stage{home.StageReading, home.StageCommitting, home.StageVerifying, home.StageDone}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestSameNameOnTwoGatewaysIsSaidAndSavedTwice(t *testing.T) {
	f := backuptest.NewFakeEngine()
	a, b := f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "f", Body: "a"}), f.Add(backuptest.IdB, "exited", backuptest.Entry{Name: "f", Body: "b"})
	a.Name, b.Name, a.Gateway, b.Gateway = "twin", "twin", "one", "two"
	r := fakeRun(t, f)
	summary, err := r.All(t.Context(), backuptest.InventoryOf(a, b))
	if err != nil || summary.Totals.BackedUp != 2 || len(summary.Warnings) != 1 || !strings.Contains(summary.Warnings[0], `"twin"`) {
		t.Errorf("%+v, %v", summary, err)
	}
	if found, err := r.Store.Backups("twin"); err != nil || len(found) != 2 {
		t.Errorf("%d backups, %v", len(found), err)
	}
}
