package recreate

import (
	"context"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/restore"
	"sandkeeper/test/e2e/gateway"
)

// TestACreationIsNotCutOff: a creation that Ctrl-C cut off would come about all the same, and be nobody's.
func TestACreationIsNotCutOff(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		w.backend.create = func(s gateway.Sandbox) (gateway.Sandbox, error) {
			cancel()
			time.Sleep(100 * time.Millisecond)
			return w.memory.Create(t.Context(), s)
		}
		if _, err := w.maker.Make(ctx, w.order); err == nil {
			t.Error("nobody was told that it was interrupted")
		}
		time.Sleep(100 * time.Millisecond) // for a gateway that goes on with what nobody waits for
		outcome, err := w.maker.Make(t.Context(), w.order)
		w.must(err)
		w.whole(outcome, gateway.Ready)
		if n := strings.Count(strings.Join(w.calls, " "), "create"); n != 1 || !outcome.Resumed {
			t.Errorf("created %d times, resumed: %v", n, outcome.Resumed)
		}
	})
}

// TestAnotherInItsPlaceIsNotReady: what somebody else put in the place of what was made is neither stopped nor written to.
func TestAnotherInItsPlaceIsNotReady(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		w.maker.ReadyLimit = 50 * time.Millisecond
		var theirs gateway.Sandbox
		w.at = func(place string) {
			if place != "after create" {
				return
			}
			_, err := w.memory.Delete(t.Context(), "alpha")
			w.must(err)
			theirs, err = w.memory.Create(t.Context(), gateway.Sandbox{Name: "alpha", Spec: specOf("img:1", "another")})
			w.must(err)
		}
		_, err := w.maker.Make(t.Context(), w.order)
		if err == nil || !strings.Contains(err.Error(), "does not list it") {
			t.Errorf("got %v", err)
		}
		if all := w.listed(); len(all) != 1 || all[0].ID != theirs.ID || all[0].Phase != gateway.Ready || strings.Contains(strings.Join(w.calls, " "), "stop") {
			t.Errorf("the gateway has %+v, done: %q", all, w.calls)
		}
	})
}

// TestARestoreThatDidNotEndIsNoSandbox: it is not started, and the next call goes on with it.
func TestARestoreThatDidNotEndIsNoSandbox(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		w.maker.fill = func(context.Context, restore.Request) (restore.Summary, error) { return restore.Summary{}, nil }
		_, err := w.maker.Make(t.Context(), w.order)
		if err == nil || !strings.Contains(err.Error(), "was not restored to the end") || strings.Contains(strings.Join(w.calls, " "), "start") {
			t.Errorf("got %v, done: %q", err, w.calls)
		}
		w.maker.fill = w.fill
		outcome, err := w.maker.Make(t.Context(), w.order)
		w.must(err)
		w.whole(outcome, gateway.Ready)
	})
}
