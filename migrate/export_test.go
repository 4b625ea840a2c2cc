package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// host is an engine with its containers, and a gateway that stops nothing.
type host struct {
	identity   string
	containers map[string]engine.Container
	fault      error
	stopped    []string
}

func (h *host) Identity(context.Context) (string, error) { return h.identity, h.fault }

func (h *host) Inspect(_ context.Context, id string) (engine.Container, error) {
	c, there := h.containers[id]
	if !there {
		return c, fs.ErrNotExist
	}
	return c, h.fault
}

func (h *host) Stop(_ context.Context, id string) error {
	c := h.containers[id]
	c.State, h.containers[id], h.stopped = "exited", engine.Container{ID: id, Name: c.Name, State: "exited", Started: c.Started}, append(h.stopped, id)
	return nil
}

// exports is an exporter of a host whose sandboxes are all saved.
func exports(t *testing.T, h *host) *Exporter {
	t.Helper()
	n := 0
	return &Exporter{
		Root: t.TempDir(), EngineOf: func(engine.Container) Engine { return h },
		Save: func(_ context.Context, sb sandbox.Sandbox) (store.Backup, error) {
			n++
			return store.Backup{ID: fmt.Sprintf("b%d", n), Sandbox: sb.Name, Manifest: &archive.Manifest{Home: "/sandbox"}}, nil
		},
	}
}

func onHost(running string, names ...string) (*host, Input) {
	h, in := &host{identity: "engine", containers: map[string]engine.Container{}}, Input{Facts: Facts{Gateway: "gw"}}
	for _, name := range names {
		seen := old(name)
		seen.Sandbox.Container.State, seen.Sandbox.Container.Started = running, time.Unix(1, 0)
		h.containers[seen.Sandbox.Container.ID] = *seen.Sandbox.Container
		in.Sandboxes = append(in.Sandboxes, seen)
	}
	return h, in
}

// again exports, and gives what the next run knows.
func again(t *testing.T, e *Exporter, in *Input) (Export, error) {
	t.Helper()
	result, err := e.Export(t.Context(), *in)
	if err != nil {
		return result, err
	}
	in.Set, err = ReadSet(e.Root, in.Gateway)
	return result, err
}

// TestWhatWasExportedStaysInTheSet: a sandbox that a later run does not see, because its engine or its gateway does not answer, is still
// imported; one whose container was removed is not.
func TestWhatWasExportedStaysInTheSet(t *testing.T) {
	for name, c := range map[string]struct {
		now  func(h *host, e *Exporter)
		want bool
	}{
		"its engine does not answer":      {func(_ *host, e *Exporter) { e.EngineOf = func(engine.Container) Engine { return nil } }, true},
		"another engine is asked for it":  {func(h *host, _ *Exporter) { h.identity, h.containers = "other", nil }, true},
		"the container is there":          {func(*host, *Exporter) {}, true},
		"its container was removed since": {func(h *host, _ *Exporter) { h.containers = nil }, false},
	} {
		h, in := onHost("running", "alpha")
		e := exports(t, h)
		if _, err := again(t, e, &in); err != nil || !in.Set.Sandboxes[0].Final {
			t.Fatalf("%s: %+v, %v", name, in.Set, err)
		}
		in.Sandboxes = nil
		c.now(h, e)
		if _, err := again(t, e, &in); err != nil || (in.Set.member("default", "alpha") != nil) != c.want {
			t.Errorf("%s: the set has %+v, %v", name, in.Set.Sandboxes, err)
		}
	}
}

// TestFailedRunForgetsNotWhatRan: a run between two others that could not look at the container does not lose that the sandbox ran.
func TestFailedRunForgetsNotWhatRan(t *testing.T) {
	h, in := onHost("running", "alpha")
	e := exports(t, h)
	_, err := again(t, e, &in)
	c := h.containers["c-alpha"]
	in.Sandboxes[0].Sandbox.Container = &c
	h.fault = errors.New("the engine restarts")
	failed, err2 := again(t, e, &in)
	if err != nil || err2 != nil || failed.Totals.Failed != 1 || in.Set.Sandboxes[0].Final {
		t.Fatalf("%+v, %v, %v", failed, err, err2)
	}
	h.fault = nil
	if _, err := again(t, e, &in); err != nil || !in.Set.Sandboxes[0].Running || !in.Set.Sandboxes[0].Final {
		t.Errorf("the set has %+v, %v", in.Set.Sandboxes, err)
	}
}

// TestExportStopsByEngineWhatItsGatewayCannot: a gateway that is too old, or has the sandbox in Error, leaves the stop to the engine; one
// that does not answer leaves it to nobody.
func TestExportStopsByEngineWhatItsGatewayCannot(t *testing.T) {
	for name, c := range map[string]struct {
		says error
		want Status
	}{
		"too old": {openshell.ErrUnsupported, Exported}, "in Error": {openshell.ErrPhase, Exported}, "silent": {errors.New("no answer"), Failed},
	} {
		h, in := onHost("running", "alpha")
		e := exports(t, h)
		e.Stop = func(context.Context, sandbox.Sandbox) error { return c.says }
		got, err := again(t, e, &in)
		if err != nil || got.Sandboxes[0].Status != c.want || slices.Contains(h.stopped, "c-alpha") != (c.want == Exported) {
			t.Errorf("%s: %+v, stopped %q, %v", name, got.Sandboxes, h.stopped, err)
		}
	}
}

// TestAnExportThatEndsEarlySaysWhatItDidOfEach: a set that cannot be written, or Ctrl-C, leaves sandboxes that are saved and were not stopped,
// and none is called exported that the set does not have.
func TestAnExportThatEndsEarlySaysWhatItDidOfEach(t *testing.T) {
	for name, c := range map[string]struct {
		step   string // at which it happens
		fault  func(e *Exporter, cancel func())
		set    bool
		reason []string
	}{
		"no set can be written": {"saving", noSet, false, []string{"saved (backup b1), and was not stopped", "saved (backup b2), and was not stopped"}},
		"the set cannot be written later": {
			"stopping", noSet, true, []string{"stopped and saved (backup b3), and the set could not be written", "saved (backup b2), and was not stopped"},
		},
		"Ctrl-C": {"saving", func(_ *Exporter, cancel func()) { cancel() }, false, []string{"", context.Canceled.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			h, in := onHost("running", "alpha", "beta")
			e := exports(t, h)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e.Progress = func(_, step string) {
				if step == c.step {
					c.fault(e, cancel)
				}
			}
			got, err := e.Export(ctx, in)
			if err == nil || got.Totals.Failed != 2 || (got.Set != "") != c.set || len(got.Sandboxes) != 2 {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, m := range got.Sandboxes {
				if m.Status != Failed || m.Reason == "" || !strings.Contains(m.Reason, c.reason[i]) || m.Err() == nil {
					t.Errorf("%s: %+v, want %q", m.Name, m, c.reason[i])
				}
			}
		})
	}
}

// noSet puts a file where the folder of sets is to be.
func noSet(e *Exporter, _ func()) {
	folder := filepath.Dir(SetPath(e.Root, "gw"))
	_ = os.MkdirAll(filepath.Dir(folder), 0o700)
	_ = os.RemoveAll(folder)
	_ = os.WriteFile(folder, nil, 0o600)
}

// TestExportSaysWhatItCannotRead: what has no container here cannot be read once it is stopped.
func TestExportSaysWhatItCannotRead(t *testing.T) {
	_, in := onHost("running", "alpha")
	in.Sandboxes[0].Sandbox.Container = nil
	e := exports(t, nil)
	e.Stop = func(context.Context, sandbox.Sandbox) error { return nil }
	got, err := again(t, e, &in)
	if err != nil || got.Totals.Exported != 1 || !strings.Contains(strings.Join(got.Warnings, "\n"), "what it wrote between backup b1 and its stop is not in the set") {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestPlanCountsWhatAnExportStops: the question before the stop names every container that runs, whatever its gateway calls it.
func TestPlanCountsWhatAnExportStops(t *testing.T) {
	for state, want := range map[string]bool{"running": true, "paused": true, "exited": false} {
		_, in := onHost(state, "alpha")
		in.Sandboxes[0].Sandbox.Standing = sandbox.Unknown
		if p := Make(in.Facts); p.Sandboxes[0].Running != want || memberOf(in.Sandboxes[0]).Running != want {
			t.Errorf("%s: %+v", state, p.Sandboxes)
		}
	}
}

// TestWhatTheOldGatewayToldStaysInTheSet: what it keeps beside the recipes is taken down while it runs, and a later run that does not ask it
// forgets nothing.
func TestWhatTheOldGatewayToldStaysInTheSet(t *testing.T) {
	_, in := onHost("running", "alpha")
	h, _ := onHost("running", "alpha")
	e := exports(t, h)
	kept := openshell.Beside{Settings: []openshell.Setting{{Key: "mode", Value: []byte{1}}}}
	e.Beside = func(context.Context, sandbox.Sandbox) (openshell.Beside, error) { return kept, nil }
	in.Asked, in.Workspaces, in.Settings = true, []string{"default", "spare"}, kept.Settings
	whole := func(when string) {
		t.Helper()
		if s := in.Set; s.Sandboxes[0].Beside.String() != kept.String() || len(s.Settings) != 1 || !slices.Equal(s.Workspaces, []string{"default", "spare"}) {
			t.Errorf("%s: the set has %+v", when, s)
		}
	}
	if _, err := again(t, e, &in); err != nil {
		t.Fatal(err)
	}
	whole("asked")
	e.Beside, in.Asked, in.Workspaces, in.Settings = nil, false, []string{"default"}, nil
	if _, err := again(t, e, &in); err != nil {
		t.Fatal(err)
	}
	whole("not asked")
	e.Beside = func(context.Context, sandbox.Sandbox) (openshell.Beside, error) {
		return openshell.Beside{}, errors.New("no answer")
	}
	got, err := again(t, e, &in)
	if err != nil || !strings.Contains(fmt.Sprint(got.Sandboxes[0].Lost), "could not be read: no answer") {
		t.Errorf("%+v, %v", got.Sandboxes, err)
	}
	whole("without an answer")
}
