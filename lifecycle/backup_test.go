package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// quieting is a scripted extension that also works around backups.
type quieting struct{ *scripted }

func (q quieting) BeforeBackup(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return q.act(ctx, BeforeBackup, s, state, nil)
}

func (q quieting) AfterBackup(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return q.act(ctx, AfterBackup, s, state, nil)
}

// quiets makes those of the names quieting, and runs what they execute as inside.
func (b *bench) quiets(inside Inside, names ...string) {
	b.inside = inside
	for i, link := range b.links {
		for _, name := range names {
			if link.Name == name {
				b.links[i].Extension = quieting{b.ext[name]}
			}
		}
	}
}

func TestABackupIsSurroundedInOrder(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.quiets(nil, "a", "c")
	same(t, "quiesces", Quiesces(b.links), true)
	end, err := b.BeginBackup(t.Context(), alpha)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "before", b.log.take(), []string{"a before_backup -", "c before_backup -"})
	same(t, "stored in between", b.stored(t), []string{"id-alpha "})
	if err := b.driver.DeleteSandbox(t.Context(), alpha); !errors.Is(err, ErrBusy) {
		t.Errorf("deleted in between: %v", err)
	}
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "after", b.log.take(), []string{"c after_backup -", "a after_backup -"})
	same(t, "stored", b.stored(t), []string{})
}

func TestABackupLeavesTheRecordOfATrackedSandbox(t *testing.T) {
	b := replaceable(t, "a")
	b.quiets(nil, "a")
	b.ext["a"].on[BeforeBackup] = func(context.Context, Sandbox, *Builder) (*State, error) { return textState("rests"), nil }
	end, err := b.BeginBackup(t.Context(), alpha)
	if err != nil || end(t.Context()) != nil {
		t.Fatal(err)
	}
	same(t, "log", b.log.take(), []string{"a before_backup a", "a after_backup rests"})
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=rests"})
}

// Whoever began is asked to let it go on again, also the one that failed.
func TestARefusalBeforeABackupLetsAllGoOn(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.quiets(nil, "a", "b", "c")
	b.fail("b", BeforeBackup, errDenied)
	end, err := b.BeginBackup(t.Context(), alpha)
	if !errors.Is(err, errDenied) || end != nil {
		t.Errorf("error %v", err)
	}
	same(t, "log", b.log.take(), []string{"a before_backup -", "b before_backup -", "b after_backup -", "a after_backup -"})
	same(t, "stored", b.stored(t), []string{})
	if _, err := b.BeginBackup(t.Context(), alpha); !errors.Is(err, errDenied) {
		t.Errorf("the sandbox is still claimed: %v", err)
	}
}

// The process dies between the phases, or the second one fails: the next run calls it.
func TestAKilledBackupIsEndedByTheNextRun(t *testing.T) {
	for name, next := range map[string]func(*bench) ([]ReconcileReport, error){
		"a backup": func(b *bench) ([]ReconcileReport, error) { return b.EndBackups(t.Context()) },
		"a reconcile": func(b *bench) ([]ReconcileReport, error) {
			return b.Reconcile(t.Context(), map[string]Driver{"gw": b.memory})
		},
	} {
		b := newBench(t, "a", "b")
		b.quiets(nil, "a", "b")
		if _, err := b.BeginBackup(t.Context(), alpha); err != nil { // nobody ever calls what it returned
			t.Fatal(err)
		}
		b.log.take()
		b.open(t, "a", "b")
		b.quiets(func(context.Context, Reference, []string) (string, error) { return "", nil }, "a", "b")
		b.fail("b", AfterBackup, errDenied)
		reports, err := next(b)
		if err != nil || len(reports) != 1 || !errors.Is(reports[0].Err, errDenied) || reports[0].Action == "" {
			t.Errorf("%s: %+v, %v", name, reports, err)
		}
		same(t, name, b.log.take(), []string{"b after_backup -", "a after_backup -"})
		b.ext["b"].on = nil
		if reports, err = next(b); err != nil || len(reports) != 1 || reports[0].Err != nil {
			t.Errorf("%s, again: %+v, %v", name, reports, err)
		}
		same(t, name, b.log.take(), []string{"b after_backup -"})
		same(t, "stored", b.stored(t), []string{})
	}
}

func TestAReconcileThatCanRunNothingLeavesTheBackupToTheNextOne(t *testing.T) {
	b := newBench(t, "a")
	b.quiets(nil, "a")
	if _, err := b.BeginBackup(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	b.log.take()
	b.memory.sandboxes["id-alpha"] = Record{ID: "id-alpha", Name: "alpha", Gateway: "gw"}
	b.open(t, "a")
	b.quiets(nil, "a")
	reports := b.reconcile(t)
	if len(reports) != 1 || !strings.Contains(strings.Join(reports[0].Drift, ""), "the next backup-all ends it") {
		t.Errorf("reports %+v", reports)
	}
	same(t, "log", len(b.log.take()), 0)
	same(t, "stored", b.stored(t), []string{"id-alpha "})
}

func TestExecRunsInTheSandboxOfThePhase(t *testing.T) {
	b := newBench(t, "a")
	var asked Reference
	b.quiets(func(_ context.Context, s Reference, command []string) (string, error) {
		asked = s
		return strings.Join(command, " "), errDenied
	}, "a")
	b.ext["a"].on[BeforeBackup] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		if out, err := Exec(ctx, "sync", "-f"); out != "sync -f" || !errors.Is(err, errDenied) {
			t.Errorf("Exec = %q, %v", out, err)
		}
		return nil, nil
	}
	if _, err := b.BeginBackup(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	same(t, "sandbox", asked, alpha)
	if _, err := Exec(t.Context(), "sync"); !errors.Is(err, ErrNotInside) {
		t.Errorf("outside of a phase: %v", err)
	}
}

func TestWithoutAQuiescerABackupIsNotNoted(t *testing.T) {
	b := newBench(t, "a")
	same(t, "quiesces", Quiesces(b.links), false)
	end, err := b.BeginBackup(t.Context(), Reference{})
	if err != nil || end(t.Context()) != nil {
		t.Error(err)
	}
	same(t, "stored", b.stored(t), []string{})
}
