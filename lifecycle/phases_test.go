package lifecycle

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errDenied = errors.New("denied")

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestPhaseOrder(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	record := b.mustCreate(t, "alpha")
	same(t, "create", b.log.take(), []string{
		"a before_create -", "b before_create -", "c before_create -", "driver create alpha",
		"c after_create_success c", "b after_create_success b", "a after_create_success a",
	})
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a b=b c=c"})
	if err := b.driver.DeleteSandbox(t.Context(), Reference{ID: record.ID, Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	same(t, "delete", b.log.take(), []string{
		"c before_delete c", "b before_delete b", "a before_delete a", "driver delete alpha",
		"c after_delete c", "b after_delete b", "a after_delete a",
	})
	same(t, "stored", b.stored(t), []string{})
}

func TestDeleteByNameFindsTheState(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.log.take()
	if err := b.driver.DeleteSandbox(t.Context(), Reference{Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	same(t, "delete", b.log.take(), []string{"a before_delete a", "driver delete alpha", "a after_delete a"})
	same(t, "stored", b.stored(t), []string{})
}

func TestDeleteOfASandboxFromBeforeThereWereExtensions(t *testing.T) {
	b := newBench(t, "a")
	if err := b.driver.DeleteSandbox(t.Context(), Reference{ID: "old", Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	same(t, "delete", b.log.take(), []string{"a before_delete -", "driver delete alpha", "a after_delete -"})
	same(t, "stored", b.stored(t), []string{})
}

func TestReverseOrderRollback(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.memory.createErr = errDenied
	_, err := b.create(t, "alpha")
	if !errors.Is(err, errDenied) {
		t.Errorf("error %v does not wrap the driver's", err)
	}
	same(t, "log", b.log.take(), []string{
		"a before_create -", "b before_create -", "c before_create -", "driver create alpha",
		"c after_create_failed c", "b after_create_failed b", "a after_create_failed a",
	})
	same(t, "stored", b.stored(t), []string{})
}

func TestPartialChainFailure(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.fail("c", BeforeCreate, errDenied)
	_, err := b.create(t, "alpha")
	failed, ok := errors.AsType[*PhaseError](err)
	if !ok || failed.Extension != "c" || failed.Phase != BeforeCreate || !errors.Is(err, errDenied) {
		t.Errorf("error %v does not say that before_create of c was denied", err)
	}
	same(t, "log", b.log.take(), []string{
		"a before_create -", "b before_create -", "c before_create -", "b after_create_failed b", "a after_create_failed a",
	})
	same(t, "driver calls", len(b.memory.requests), 0)
	same(t, "stored", b.stored(t), []string{})
}

// half creates the sandbox and then fails, as a driver does that waited in vain for it to become ready.
type half struct{ *memory }

func (h half) CreateSandbox(ctx context.Context, r Request) (Record, error) {
	record, err := h.memory.CreateSandbox(ctx, r)
	return record, errors.Join(err, errDenied)
}

func TestASandboxThatExistsIsNotRolledBack(t *testing.T) {
	b := newBench(t, "a")
	record, err := b.Wrap(half{b.memory}).CreateSandbox(t.Context(), Request{Name: "alpha", Gateway: "gw"})
	if !errors.Is(err, errDenied) || record.ID != "id-alpha" {
		t.Errorf("%+v, %v", record, err)
	}
	same(t, "log", b.log.take(), []string{"a before_create -", "driver create alpha", "a after_create_success a"})
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}

func TestRollbackThatFailsIsOwed(t *testing.T) {
	b := newBench(t, "a", "b")
	b.memory.createErr = errDenied
	b.fail("b", AfterCreateFailed, errors.New("lease server is down"))
	_, err := b.create(t, "alpha")
	if !errors.Is(err, errDenied) || !strings.Contains(err.Error(), "lease server is down") {
		t.Errorf("error %v does not hold both causes", err)
	}
	if stored := b.stored(t); len(stored) != 1 || !strings.HasSuffix(stored[0], "rolling_back b=b") {
		t.Fatalf("stored %q, want only b's state, rolling back", stored)
	}
	b.log.take()
	delete(b.ext["b"].on, AfterCreateFailed)
	reports := b.reconcile(t)
	same(t, "log", b.log.take(), []string{"b after_create_failed b"})
	same(t, "action", reports[0].Action, "rolled back the creation")
	same(t, "stored", b.stored(t), []string{})
}

func TestErrorPropagation(t *testing.T) {
	for _, phase := range []Phase{BeforeCreate, AfterCreateSuccess, BeforeDelete, AfterDelete} {
		t.Run(string(phase), func(t *testing.T) {
			b := newBench(t, "a", "b")
			b.fail("a", phase, errDenied)
			record, err := b.create(t, "alpha")
			if err == nil {
				err = b.driver.DeleteSandbox(t.Context(), Reference{ID: record.ID, Name: "alpha", Gateway: "gw"})
			}
			failed, ok := errors.AsType[*PhaseError](err)
			if !ok || failed.Phase != phase || failed.Extension != "a" || failed.Sandbox.Name != "alpha" || !errors.Is(err, errDenied) {
				t.Fatalf("error %v does not say that %s of a was denied for alpha", err, phase)
			}
			_, released := errors.AsType[*ReleaseError](err)
			same(t, "is a release error", released, phase == AfterDelete)
			same(t, "created in spite of it", record.ID != "", phase != BeforeCreate)
			_, there := b.memory.sandboxes["id-alpha"]
			same(t, "still there", there, phase == AfterCreateSuccess || phase == BeforeDelete)
		})
	}
}

func TestStateIsDeletedOnlyAfterAfterDeleteSucceeded(t *testing.T) {
	b := newBench(t, "a", "b")
	record := b.mustCreate(t, "alpha")
	ref := Reference{ID: record.ID, Name: "alpha", Gateway: "gw"}
	b.fail("a", AfterDelete, errDenied)
	if err := b.driver.DeleteSandbox(t.Context(), ref); err == nil {
		t.Fatal("a failed after_delete was not reported")
	}
	same(t, "stored", b.stored(t), []string{"id-alpha deleted a=a"})
	delete(b.ext["a"].on, AfterDelete)
	b.log.take()
	if err := b.driver.DeleteSandbox(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	same(t, "log", b.log.take(), []string{"driver delete alpha", "a after_delete a"})
	same(t, "stored", b.stored(t), []string{})
}

func TestLaterPhasesSeeAndReplaceTheState(t *testing.T) {
	b := newBench(t, "a")
	replace := func(with string) func(context.Context, Sandbox, *Builder) (*State, error) {
		return func(context.Context, Sandbox, *Builder) (*State, error) { return textState(with), nil }
	}
	b.ext["a"].on[BeforeCreate] = replace("one")
	b.ext["a"].on[AfterCreateSuccess] = replace("two")
	b.ext["a"].on[BeforeDelete] = replace("three")
	b.mustCreate(t, "alpha")
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=two"})
	_ = b.driver.DeleteSandbox(t.Context(), Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"})
	same(t, "log", b.log.take(), []string{
		"a before_create -", "driver create alpha", "a after_create_success one",
		"a before_delete two", "driver delete alpha", "a after_delete three",
	})
}

func TestPanicIsolation(t *testing.T) {
	for name, panics := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "a", "b")
			b.ext["b"].on[BeforeCreate] = func(context.Context, Sandbox, *Builder) (*State, error) { panics(); return nil, nil }
			_, err := b.create(t, "alpha")
			if !errors.Is(err, ErrPanic) {
				t.Fatalf("error %v does not wrap ErrPanic", err)
			}
			same(t, "log: the one that panicked could not clean up, so it is asked to", b.log.take(),
				[]string{"a before_create -", "b before_create -", "b after_create_failed -", "a after_create_failed a"})
			same(t, "stored", b.stored(t), []string{})
			if failed, _ := errors.AsType[*PhaseError](err); name == "panic" && !strings.Contains(string(failed.Stack), "phases_test.go") {
				t.Errorf("the stack does not show where the panic came from:\n%s", failed.Stack)
			}
		})
	}
}

func TestStateThatItsOwnExtensionCannotReadIsRefused(t *testing.T) {
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(context.Context, Sandbox, *Builder) (*State, error) { return &State{SchemaVersion: 2}, nil }
	_, err := b.create(t, "alpha")
	if err == nil || !strings.Contains(err.Error(), "schema version 2, but reads only 1") {
		t.Fatalf("error %v", err)
	}
	same(t, "log", b.log.take(), []string{"a before_create -", "a after_create_failed -"})
}

func TestBusySandboxIsRefused(t *testing.T) {
	b := newBench(t, "a")
	record := b.mustCreate(t, "alpha")
	ref := Reference{ID: record.ID, Name: "alpha", Gateway: "gw"}
	b.ext["a"].on[BeforeDelete] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		return nil, b.driver.DeleteSandbox(ctx, ref)
	}
	if err := b.driver.DeleteSandbox(t.Context(), ref); !errors.Is(err, ErrBusy) {
		t.Fatalf("error %v, want ErrBusy from the delete within the delete", err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}
