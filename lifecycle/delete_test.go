package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFailedDriverDeleteKeepsTheIntent(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.memory.deleteErr = errDenied
	ref := Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"}
	if err := b.driver.DeleteSandbox(t.Context(), ref); !errors.Is(err, errDenied) {
		t.Fatalf("error %v", err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha deleting a=a"})
	b.memory.deleteErr = nil
	if err := b.driver.DeleteSandbox(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	same(t, "stored", b.stored(t), []string{})
}

func TestARefusedDeleteOfAnUnknownSandboxLeavesNoRecord(t *testing.T) {
	b := newBench(t, "a")
	b.fail("a", BeforeDelete, errDenied)
	if err := b.driver.DeleteSandbox(t.Context(), Reference{ID: "old", Name: "alpha", Gateway: "gw"}); !errors.Is(err, errDenied) {
		t.Fatalf("error %v", err)
	}
	same(t, "log", b.log.take(), []string{"a before_delete -"})
	same(t, "stored", b.stored(t), []string{})
}

func TestADeleteThatFailsAgainOnAGoneSandboxKeepsWhatIsOwed(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.kill(t, StatusDeleted, func(e *entry) { e.Owed = []string{"a"} })
	b.memory.deleteErr = errDenied
	if err := b.driver.DeleteSandbox(t.Context(), Reference{ID: "id-alpha"}); !errors.Is(err, errDenied) {
		t.Fatalf("error %v", err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha deleted a=a"})
}

func TestTimeoutOfBeforeDeleteKeepsTheSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "a")
		b.mustCreate(t, "alpha")
		b.ext["a"].on[BeforeDelete] = slow(time.Hour, true, nil)
		err := b.driver.DeleteSandbox(t.Context(), Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"})
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("error %v", err)
		}
		same(t, "still there", len(b.memory.sandboxes), 1)
		same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
	})
}

func TestManySandboxesAtOnce(t *testing.T) {
	b := newBench(t, "a", "b")
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			name := fmt.Sprintf("s%d", i)
			record, err := b.driver.CreateSandbox(t.Context(), Request{Name: name, Gateway: "gw"})
			if err == nil && i%2 == 0 {
				err = b.driver.DeleteSandbox(t.Context(), Reference{ID: record.ID, Name: name, Gateway: "gw"})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	same(t, "left", len(b.stored(t)), 8)
}

// minimal is the smallest extension that compiles: what Defaults does not give, the author must write.
type minimal struct{ Defaults }

func (minimal) BeforeCreate(context.Context, Sandbox, *Builder) (*State, error) {
	return NewState(1, map[string]int{"n": 7})
}

func (minimal) AfterCreateFailed(context.Context, Sandbox, *State) (*State, error) { return nil, nil }

func (minimal) AfterDelete(context.Context, Sandbox, *State) (*State, error) { return nil, nil }

func (minimal) Reconcile(_ context.Context, _ Sandbox, state *State) (ReconcileOutcome, error) {
	var was map[string]int
	err := state.Decode(&was)
	return ReconcileOutcome{Drift: []string{fmt.Sprint(was["n"])}}, err
}

func TestDefaultsKeepTheState(t *testing.T) {
	b := newBench(t, "a")
	b.links[0].Extension = minimal{}
	b.mustCreate(t, "alpha")
	same(t, "drift", b.reconcile(t)[0].Drift, []string{"7"})
	if err := b.driver.DeleteSandbox(t.Context(), Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	same(t, "stored", b.stored(t), []string{})
}

func TestStateThatCannotBeEncodedIsAnError(t *testing.T) {
	if _, err := NewState(1, func() {}); err == nil {
		t.Error("a function was encoded")
	}
}
