package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// kill leaves the store as a process that was killed would: the entry is put back as it was at that moment.
func (b *bench) kill(t *testing.T, status Status, change func(*entry)) {
	t.Helper()
	entries, err := b.store.all()
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	former := entries[0].ID
	entries[0].Status = status
	if change != nil {
		change(&entries[0])
	}
	if err := b.store.save(entries[0], former); err != nil {
		t.Fatal(err)
	}
}

func TestReconcileInvocationOnRestart(t *testing.T) {
	b := newBench(t, "a", "b")
	b.mustCreate(t, "alpha")
	b.mustCreate(t, "beta")
	b.log.take()
	b.open(t, "a", "b")
	reports := b.reconcile(t)
	got := map[string]int{}
	for _, line := range b.log.take() {
		got[line]++
	}
	same(t, "every persisted pair is asked, with its state", got, map[string]int{"a reconcile a": 2, "b reconcile b": 2})
	same(t, "reports", len(reports), 4)
	for _, r := range reports {
		if r.Presence != Listed || r.Error != "" || len(r.Drift) > 0 || r.Extension == "" {
			t.Errorf("report %+v", r)
		}
	}
}

func TestReconcileIsAdvisoryByDefault(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.sink.events = nil
	b.ext["a"].see = func(s Sandbox, state *State) (ReconcileOutcome, error) {
		state.Payload[0] = 'X'
		return ReconcileOutcome{Drift: []string{"lease is held by another"}, State: textState("new")}, nil
	}
	reports := b.reconcile(t)
	same(t, "drift", reports[0].Drift, []string{"lease is held by another"})
	same(t, "nothing changed", b.stored(t), []string{"id-alpha ready a=a"})
	if len(b.sink.events) != 1 || b.sink.events[0].Message != "lease is held by another" || b.sink.events[0].Severity != SeverityMedium {
		t.Errorf("the drift was not audited: %+v", b.sink.events)
	}
}

func TestReconcileAuthoritativeStoresItsState(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.ext["a"].see = func(Sandbox, *State) (ReconcileOutcome, error) {
		return ReconcileOutcome{Authority: Authoritative, State: textState("new")}, nil
	}
	same(t, "action", b.reconcile(t)[0].Action, "stored its new state")
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=new"})
}

func TestReconcileUnknownAuthorityChangesNothing(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.ext["a"].see = func(Sandbox, *State) (ReconcileOutcome, error) {
		return ReconcileOutcome{Authority: "sure", State: textState("new")}, nil
	}
	if r := b.reconcile(t)[0]; r.Err == nil {
		t.Errorf("report %+v", r)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}

func TestReconcileOfASandboxThatVanished(t *testing.T) {
	b := newBench(t, "keeps", "lets-go")
	b.mustCreate(t, "alpha")
	clear(b.memory.sandboxes)
	b.log.take()
	b.ext["lets-go"].see = func(s Sandbox, _ *State) (ReconcileOutcome, error) {
		return ReconcileOutcome{Authority: Authoritative}, nil
	}
	reports := b.reconcile(t)
	same(t, "first report", reports[0].Drift, []string{"its gateway does not list it"})
	same(t, "log", b.log.take(), []string{"keeps reconcile keeps", "lets-go reconcile lets-go", "lets-go after_delete lets-go"})
	same(t, "stored", b.stored(t), []string{"id-alpha ready keeps=keeps"})
	b.ext["keeps"].see = b.ext["lets-go"].see
	b.reconcile(t)
	same(t, "stored", b.stored(t), []string{})
}

func TestAListingThatFailedIsNeverMissing(t *testing.T) {
	for name, drivers := range map[string]func(*bench) map[string]Driver{
		"failed": func(b *bench) map[string]Driver {
			b.memory.listErr = errDenied
			return map[string]Driver{"gw": b.memory}
		},
		"not asked": func(b *bench) map[string]Driver { return map[string]Driver{"other": b.memory} },
	} {
		for _, status := range []Status{StatusReady, StatusCreating, StatusDeleting} {
			t.Run(name+" "+string(status), func(t *testing.T) {
				b := newBench(t, "a")
				b.mustCreate(t, "alpha")
				clear(b.memory.sandboxes)
				b.kill(t, status, nil)
				b.ext["a"].see = func(s Sandbox, _ *State) (ReconcileOutcome, error) {
					same(t, "presence", s.Presence, PresenceUnknown)
					return ReconcileOutcome{}, nil
				}
				reports, err := b.Reconcile(t.Context(), drivers(b))
				if err != nil || reports[0].Err == nil || !strings.Contains(reports[0].Error, "unknown") {
					t.Errorf("reports %+v, %v", reports, err)
				}
				same(t, "stored", b.stored(t), []string{"id-alpha " + string(status) + " a=a"})
			})
		}
	}
}

func TestReconcileFinishesWhatWasInFlight(t *testing.T) {
	provisionally := func(e *entry) { e.ID, e.Prepared = "pending-1", 2 }
	cases := map[string]struct {
		status Status
		change func(*entry)
		listed bool
		log    []string
		action string
		stored []string
	}{
		"create, the gateway has it": {
			StatusCreating, provisionally, true,
			[]string{"b after_create_success b", "a after_create_success a", "a reconcile a", "b reconcile b"},
			"finished the creation",
			[]string{"id-alpha ready a=a b=b"},
		},
		"create, the gateway has it not": {
			StatusCreating, provisionally, false,
			[]string{"b after_create_failed b", "a after_create_failed a"},
			"rolled back the creation",
			[]string{},
		},
		"create, killed within the second": {
			StatusCreating, func(e *entry) { e.ID, e.Prepared = "pending-1", 1; delete(e.states, "b") }, false,
			[]string{"b after_create_failed -", "a after_create_failed a"},
			"rolled back the creation",
			[]string{},
		},
		"created, not all told": {
			StatusReady, func(e *entry) { e.Owed = []string{"a"} }, true,
			[]string{"a after_create_success a", "a reconcile a", "b reconcile b"},
			"finished the creation",
			[]string{"id-alpha ready a=a b=b"},
		},
		"delete, gone": {
			StatusDeleting, nil, false,
			[]string{"b after_delete b", "a after_delete a"},
			"finished the deletion",
			[]string{},
		},
		"delete, still there": {
			StatusDeleting, nil, true,
			[]string{"a reconcile a", "b reconcile b"},
			"",
			[]string{"id-alpha deleting a=a b=b"},
		},
		"deleted, one still owes": {
			StatusDeleted, func(e *entry) { e.Owed = []string{"a"}; delete(e.states, "b") }, false,
			[]string{"a after_delete a"},
			"finished the deletion",
			[]string{},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "a", "b")
			b.mustCreate(t, "alpha")
			b.kill(t, c.status, c.change)
			if !c.listed {
				clear(b.memory.sandboxes)
			}
			b.log.take()
			reports := b.reconcile(t)
			same(t, "log", b.log.take(), c.log)
			same(t, "action", reports[0].Action, c.action)
			same(t, "error", reports[0].Error, "")
			same(t, "stored", b.stored(t), c.stored)
		})
	}
}

func TestAnotherSandboxOfTheNameIsNotAdopted(t *testing.T) {
	cases := map[string]func(b *bench){
		"its id is known": func(b *bench) { b.mustCreate(t, "alpha") },
		"it lacks the added labels": func(b *bench) {
			b.memory.sandboxes["x"] = Record{ID: "x", Name: "alpha", Gateway: "gw", Labels: map[string]string{}}
		},
	}
	for name, appear := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "a")
			b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
				return textState("a"), add.AddLabel("k", "v")
			}
			b.mustCreate(t, "alpha")
			b.kill(t, StatusCreating, func(e *entry) { e.ID = "pending-1" })
			clear(b.memory.sandboxes)
			appear(b)
			b.log.take()
			b.reconcile(t)
			if log := b.log.take(); !slices.Contains(log, "a after_create_failed a") || slices.Contains(log, "a after_create_success a") {
				t.Errorf("the interrupted creation was not rolled back: %q", log)
			}
			for _, line := range b.stored(t) {
				if strings.HasPrefix(line, "pending-") {
					t.Errorf("left: %q", line)
				}
			}
			same(t, "adopted", strings.Contains(strings.Join(b.stored(t), " "), "x ready"), false)
		})
	}
}

func TestListingWithoutLabelsIsAdopted(t *testing.T) {
	b := newBench(t, "a")
	b.memory.anonymous = true
	b.mustCreate(t, "alpha")
	b.kill(t, StatusCreating, func(e *entry) { e.ID = "pending-1"; e.Additions = []Addition{{Kind: "label", Key: "k", Value: "v"}} })
	b.reconcile(t)
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}

func TestReconcileErrorsStayWithTheirPair(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.mustCreate(t, "alpha")
	b.ext["a"].see = func(Sandbox, *State) (ReconcileOutcome, error) { panic("boom") }
	b.ext["b"].see = func(Sandbox, *State) (ReconcileOutcome, error) { return ReconcileOutcome{}, errDenied }
	reports := b.reconcile(t)
	if !errors.Is(reports[0].Err, ErrPanic) || !errors.Is(reports[1].Err, errDenied) || reports[2].Err != nil {
		t.Errorf("reports %+v", reports)
	}
}

func TestStateOfAnInactiveExtensionIsKept(t *testing.T) {
	b := newBench(t, "a", "b")
	record := b.mustCreate(t, "alpha")
	b.open(t, "a")
	reports := b.reconcile(t)
	if len(reports) != 2 || !strings.Contains(reports[1].Drift[0], "not active") {
		t.Errorf("reports %+v", reports)
	}
	err := b.driver.DeleteSandbox(t.Context(), Reference{ID: record.ID, Name: "alpha", Gateway: "gw"})
	if _, ok := errors.AsType[*ReleaseError](err); !ok || !strings.Contains(err.Error(), "sandkeeper extensions state clear id-alpha b") {
		t.Errorf("error %v", err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha deleted b=b"})
	b.open(t, "a", "b")
	b.reconcile(t)
	same(t, "stored once it is active again", b.stored(t), []string{})
}
