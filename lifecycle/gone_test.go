package lifecycle

import (
	"errors"
	"testing"
)

// TestWhatSomebodyElseDeletedIsReleased: AfterDelete runs in reverse, nothing is asked of a sandbox that is gone, and what fails is owed.
func TestWhatSomebodyElseDeletedIsReleased(t *testing.T) {
	b := newBench(t, "a", "b")
	b.mustCreate(t, "alpha")
	b.log.take()
	ref := Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"}
	b.fail("a", AfterDelete, errDenied)
	err := b.Gone(t.Context(), ref)
	if _, release := errors.AsType[*ReleaseError](err); !release || !errors.Is(err, errDenied) {
		t.Errorf("error %v", err)
	}
	same(t, "log", b.log.take(), []string{"b after_delete b", "a after_delete a"})
	same(t, "stored", b.stored(t), []string{"id-alpha deleted a=a"})
	delete(b.ext["a"].on, AfterDelete)
	if err := b.Gone(t.Context(), ref); err != nil {
		t.Error(err)
	}
	same(t, "log", b.log.take(), []string{"a after_delete a"})
	same(t, "stored", b.stored(t), []string{})
	if err := b.Gone(t.Context(), ref); err != nil || len(b.log.take()) > 0 {
		t.Errorf("of an unknown sandbox: %v", err)
	}
}
