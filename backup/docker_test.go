package backup

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// pretendEngine is an engine in this process with one sandbox in it, for what a real one cannot be made to do.
func pretendEngine(t *testing.T, files ...dockertest.File) (*dockertest.Daemon, *engine.Engine, sandbox.Sandbox) {
	t.Helper()
	d := dockertest.Start(t)
	id := d.Add(dockertest.Container{Name: "openshell-alpha-1", Image: "openshell/base:1", Files: files})
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
	if e == nil {
		t.Fatal(state.Why)
	}
	t.Cleanup(func() { e.Close() })
	c, err := e.Inspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d, e, sandbox.Sandbox{Name: "alpha", Container: &c, Standing: sandbox.Ready, Route: sandbox.ByContainer}
}

func smallHome() []dockertest.File {
	return []dockertest.File{{Path: "/sandbox/a", Data: []byte("1")}, {Path: "/sandbox/big", Data: make([]byte, 100_000)}}
}

func TestRunPausesReadsAndUnpausesInThatOrder(t *testing.T) {
	d, e, sb := pretendEngine(t, smallHome()...)
	b := backedUp(t, realRun(t, e), sb)
	if b.Manifest.Consistency != archive.ConsistencyPaused || b.Manifest.Image.Reference != "openshell/base:1" || b.Manifest.Content.Files != 2 {
		t.Errorf("manifest %+v", b.Manifest)
	}
	calls := d.Calls()
	order := func(beginning, end string) int {
		return slices.IndexFunc(calls, func(call string) bool { return strings.HasPrefix(call, beginning) && strings.Contains(call, end) })
	}
	pause, read, unpause := order("POST", "/pause"), order("GET", "/archive"), order("POST", "/unpause")
	if pause < 0 || read < pause || unpause < read {
		t.Errorf("pause %d, read %d, unpause %d in %q", pause, read, unpause, calls)
	}
}

// Wherever the connection breaks or whatever request fails: no half backup, the container runs, the reason is told.
func TestRunSurvivesEveryFaultOfTheEngine(t *testing.T) {
	for name, tt := range map[string]struct {
		fault dockertest.Fault
		says  string
	}{
		"no inspect":         {dockertest.Fault{Call: "GET /containers/ID/json", Status: 500, Body: `{"message":"inspect is broken"}`}, "inspect is broken"},
		"no stat":            {dockertest.Fault{Call: "HEAD /containers/", Status: 500}, "looking at /sandbox"},
		"archive fails":      {archiveFault(dockertest.Fault{Status: 500, Body: `{"message":"layer is broken"}`}), "layer is broken"},
		"archive is cut":     {archiveFault(dockertest.Fault{Cut: 5000}), "broke off"},
		"archive is no tar":  {archiveFault(dockertest.Fault{Status: 200, Body: "hello"}), "reading /sandbox"},
		"archive is silent":  {archiveFault(dockertest.Fault{Hang: true}), "no byte came for 300ms"},
		"archive is nothing": {archiveFault(dockertest.Fault{Status: 200}), "reading /sandbox"},
	} {
		d, e, sb := pretendEngine(t, smallHome()...)
		tt.fault.Call = strings.ReplaceAll(tt.fault.Call, "ID", sb.Container.ID)
		d.Break(tt.fault)
		r := realRun(t, e)
		if tt.fault.Hang {
			r.Stall = 300 * time.Millisecond
		}
		summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
		if err != nil || summary.Totals.Failed != 1 || !strings.Contains(summary.Sandboxes[0].Reason, tt.says) {
			t.Errorf("%s: %q, %v", name, summary.Sandboxes[0].Reason, err)
		}
		if c, found := d.Get(sb.Container.ID); !found || c.State != "running" {
			t.Errorf("%s: the container is %q", name, c.State)
		}
		if found, err := r.Store.Backups("alpha"); err != nil || len(found) != 0 {
			t.Errorf("%s: %d backups are visible, %v", name, len(found), err)
		}
		assertJournalEmpty(t, r)
	}
}

// archiveFault strikes the one read of the home.
func archiveFault(f dockertest.Fault) dockertest.Fault {
	f.Call = "GET /containers/ID/archive"
	return f
}

func TestRunReadsLiveWhenTheEngineCannotPause(t *testing.T) {
	d, e, sb := pretendEngine(t, smallHome()...)
	d.Break(dockertest.Fault{Call: "POST /containers/" + sb.Container.ID + "/pause", Status: 500, Body: `{"message":"no freezer cgroup"}`})
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	if m := b.Manifest; m.Consistency != archive.ConsistencyLive || !strings.Contains(m.ConsistencyReason, "no freezer cgroup") {
		t.Errorf("consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	assertJournalEmpty(t, r)
}

func TestDescribeTakesNamesOnly(t *testing.T) {
	_, e, sb := pretendEngine(t)
	facts, err := e.Describe(t.Context(), sb.Container.ID, false)
	if err != nil || facts.Image != "openshell/base:1" || facts.ImageID == "" {
		t.Errorf("%+v, %v", facts, err)
	}
	if _, err := e.Describe(t.Context(), strings.Repeat("f", 64), false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a container that is not there: %v", err)
	}
}
