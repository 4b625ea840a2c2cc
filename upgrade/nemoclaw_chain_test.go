package upgrade

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandkeeper/lifecycle"
)

// noting is an extension that notes its phases and the ids they are about, and keeps state.
type noting struct {
	mu     sync.Mutex // a phase that was given up may still run beside the next
	phases []string
	adds   bool
}

// told are the phases so far.
func (n *noting) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.phases)
}

func (n *noting) note(phase lifecycle.Phase, s lifecycle.Sandbox) {
	id := s.ID
	if strings.HasPrefix(id, "pending-") {
		id = "pending"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.phases = append(n.phases, string(phase)+" "+id)
}

func (n *noting) BeforeCreate(_ context.Context, s lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	n.note(lifecycle.BeforeCreate, s)
	if n.adds {
		return nil, add.AddEnv("LEASE", "7")
	}
	return &lifecycle.State{SchemaVersion: 1, Payload: []byte("held")}, nil
}

func (n *noting) AfterCreateSuccess(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	n.note(lifecycle.AfterCreateSuccess, s)
	return nil, nil
}

func (n *noting) AfterCreateFailed(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	n.note(lifecycle.AfterCreateFailed, s)
	return nil, nil
}

func (n *noting) BeforeDelete(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	n.note(lifecycle.BeforeDelete, s)
	return nil, nil
}

func (n *noting) AfterDelete(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	n.note(lifecycle.AfterDelete, s)
	return nil, nil
}

func (n *noting) Reconcile(context.Context, lifecycle.Sandbox, *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	return lifecycle.ReconcileOutcome{}, nil
}

// aroundNemoClaw plans the upgrade of alpha as NemoClaw's, with that rebuild and that extension.
func (f *fitted) aroundNemoClaw(t *testing.T, r *rebuilding, e lifecycle.Extension) []*Entry {
	t.Helper()
	f.extend(t, e)
	f.NemoClaw = r
	targets, _ := f.targets(t.Context(), "alpha")
	targets[0].Way = ByNemoClaw
	ready, refused, err := f.Preconditions(t.Context(), targets)
	if err != nil || len(ready) != 1 {
		t.Fatal(refused, err)
	}
	return ready
}

// foreseen are the phases of the question before anything is done, which is taken back at once.
var foreseen = []string{"before_create pending", "after_create_failed pending"}

func TestExtensionsStandAroundNemoClawsRebuild(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	e := &noting{}
	if got := f.Execute(t.Context(), f.aroundNemoClaw(t, &rebuilding{do: w.replace(t, homeDir())}, e))[0]; got.Outcome != Upgraded || strings.Contains(strings.Join(got.Warnings, " "), "extension") {
		t.Fatalf("Execute = %+v", got)
	}
	id := w.settled(t, f, "alpha", "running").Labels["openshell.ai/sandbox-id"]
	want := append(slices.Clone(foreseen), "before_create pending", "before_delete id-alpha", "after_delete id-alpha", "after_create_success "+id)
	if !slices.Equal(e.told(), want) {
		t.Errorf("phases are %q\nwant %q", e.told(), want)
	}
	for known, want := range map[string]bool{id: true, "id-alpha": false} {
		if got, err := f.Chain.Knows(known); err != nil || got != want {
			t.Errorf("the chain knows %s: %v, %v", known, got, err)
		}
	}
}

// What NemoClaw cannot apply is refused by name, and neither a backup is made nor NemoClaw run.
func TestAnAdditionThatNemoClawCannotApplyIsRefusedBeforeAnythingIsDone(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	e := &noting{adds: true}
	entries := f.aroundNemoClaw(t, &rebuilding{do: func(context.Context) { t.Error("NemoClaw was run") }}, e)
	got := f.Execute(t.Context(), entries)[0]
	for _, want := range []string{`extension "fleet" adds env "LEASE"`, "nemoclaw", lifecycle.OverrideVariable} {
		if !strings.Contains(got.Reason, want) {
			t.Errorf("the reason does not say %s: %s", want, got.Reason)
		}
	}
	if got.Outcome != Failed || got.Step != StepPreconditions || got.Unfinished || got.Backup != "" || !slices.Equal(e.told(), foreseen) {
		t.Errorf("Execute = %+v, phases %q", got, e.told())
	}
	w.settled(t, f, "alpha", "running")
}

func TestARebuildByNemoClawThatFailsIsTakenBackFromTheExtensions(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	e := &noting{}
	got := f.Execute(t.Context(), f.aroundNemoClaw(t, &rebuilding{exit: 1}, e))[0]
	want := append(slices.Clone(foreseen), "before_create pending", "before_delete id-alpha", "after_create_failed pending")
	if got.Outcome != Failed || !slices.Equal(e.told(), want) {
		t.Errorf("Execute = %+v, phases %q", got, e.told())
	}
}

// The one that made the new sandbox was killed: the next run tells the extensions, also where a look that came while the rebuild was at
// work has taken its intents for failed ones.
func TestExtensionsLearnOfARebuildThatWasCutOff(t *testing.T) {
	for name, between := range map[string]func(*world, *fitted) []lifecycle.Record{
		"nobody looked":     nil,
		"looked afterwards": func(w *world, _ *fitted) []lifecycle.Record { return w.list() },
		"looked meanwhile":  func(*world, *fitted) []lifecycle.Record { return []lifecycle.Record{} },
	} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		e := &noting{}
		replace := w.replace(t, homeDir())
		entries := f.aroundNemoClaw(t, &rebuilding{do: func(ctx context.Context) {
			replace(ctx)
			panic("killed")
		}}, e)
		if got := f.Execute(t.Context(), entries)[0]; !got.Unfinished || got.Step != StepRebuilding {
			t.Fatalf("Execute = %+v", got)
		}
		if between != nil {
			if _, err := f.Chain.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": lists{records: between(w, f)}}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := f.task(t.Context(), "resume"); err != nil || got[0].Outcome != Upgraded {
			t.Fatalf("resume = %+v, %v", got, err)
		}
		id := w.settled(t, f, "alpha", "running").Labels["openshell.ai/sandbox-id"]
		if n := strings.Count(strings.Join(e.told(), ","), "after_create_success "+id); n != 1 || !slices.Contains(e.told(), "after_delete id-alpha") {
			t.Errorf("%s: %d confirmations in %q", name, n, e.told())
		}
		tracked, err := f.chainStore.Tracked()
		if err != nil || len(tracked) != 1 || tracked[0].ID != id || tracked[0].Status != lifecycle.StatusReady {
			t.Errorf("%s: the store holds %+v, %v", name, tracked, err)
		}
	}
}

// lists is a driver that was asked at a certain moment.
type lists struct {
	lifecycle.Driver
	records []lifecycle.Record
}

func (l lists) ListSandboxes(context.Context) ([]lifecycle.Record, error) { return l.records, nil }

// leasing holds something for every sandbox, and releases it when a look does not find the sandbox.
type leasing struct{ noting }

func (l *leasing) Reconcile(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	if s.Presence == lifecycle.Missing {
		return lifecycle.ReconcileOutcome{Authority: lifecycle.Authoritative}, nil
	}
	return lifecycle.ReconcileOutcome{}, nil
}

// creates is a driver that makes a sandbox with a given id.
type creates struct {
	lifecycle.Driver
	id string
}

func (c creates) CreateSandbox(_ context.Context, r lifecycle.Request) (lifecycle.Record, error) {
	return lifecycle.Record{ID: c.id, Name: r.Name, Gateway: r.Gateway}, nil
}

// A look on behalf of one sandbox decides over all that the chain knows: what its workspace does not list, another one
// does.
func TestALookForOneSandboxReleasesNothingOfAnotherWorkspace(t *testing.T) {
	f := startWorld(t, "running", "alpha").fit(t)
	e := &leasing{}
	f.extend(t, e)
	beta, err := f.Chain.Wrap(creates{id: "id-beta"}).CreateSandbox(t.Context(), lifecycle.Request{Name: "beta", Gateway: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	f.Lister = func(context.Context, string) (lifecycle.Driver, error) {
		return lists{records: []lifecycle.Record{beta}}, nil
	}
	j, err := f.job(t.Context(), &Entry{Name: "alpha", Gateway: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.lookedAt(t.Context(), "id-new"); err != nil {
		t.Fatal(err)
	}
	if known, err := f.Chain.Knows("id-beta"); err != nil || !known || slices.Contains(e.told(), "after_delete id-beta") {
		t.Errorf("what is held for a sandbox that is there was released: %v, %v, %q", known, err, e.told())
	}
}
