package upgrade

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

// lateBy is how long the engine and the gateway of these tests take for what they were asked, whether anybody waits for it or not.
const lateBy = 60 * time.Millisecond

// queue is what was asked of an engine or a gateway: it comes about in that order, for a container is locked while it is worked on.
type queue struct {
	mu   sync.Mutex
	last chan struct{} // closed when what was asked last has come about
}

// comesAbout does it late; a caller who gives up does not stop it.
func (q *queue) comesAbout(ctx context.Context, do func(context.Context) error) error {
	q.mu.Lock()
	before, mine := q.last, make(chan struct{})
	q.last = mine
	q.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		defer close(mine)
		time.Sleep(lateBy)
		if before != nil {
			<-before
		}
		done <- do(context.WithoutCancel(ctx))
	}()
	select {
	case err := <-done:
		if ctx.Err() == nil {
			return err
		}
	case <-ctx.Done():
	}
	return context.Cause(ctx) // also when it has come about by now: whoever gave up does not hear of it
}

type lateEngine struct {
	*queue
	Engine
	asked func(string)
}

func (e lateEngine) Commit(ctx context.Context, id, ref string, keep engine.Keep) (made string, err error) {
	e.asked("commit")
	err = e.comesAbout(ctx, func(ctx context.Context) (err error) {
		made, err = e.Engine.Commit(ctx, id, ref, keep)
		return err
	})
	return made, err
}

type lateSwitch struct {
	*queue
	Switch
	asked func(string)
}

func (s lateSwitch) StopSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	s.asked("stop")
	return s.comesAbout(ctx, func(ctx context.Context) error { return s.Switch.StopSandbox(ctx, sb) })
}

type lateDriver struct {
	*queue
	lifecycle.Driver
	asked func(string)
}

func (d lateDriver) CreateSandbox(ctx context.Context, r lifecycle.Request) (record lifecycle.Record, err error) {
	d.asked("create")
	err = d.comesAbout(ctx, func(ctx context.Context) (err error) {
		record, err = d.Driver.CreateSandbox(ctx, r)
		return err
	})
	return record, err
}

func (d lateDriver) DeleteSandbox(ctx context.Context, r lifecycle.Reference) error {
	d.asked("delete")
	return d.comesAbout(ctx, func(ctx context.Context) error { return d.Driver.DeleteSandbox(ctx, r) })
}

// TestNothingComesAfterTheWayBack presses Ctrl-C while the engine or the gateway is at work on what it was asked: that comes about
// all the same, and must not do so after the sandbox was called as it was.
func TestNothingComesAfterTheWayBack(t *testing.T) {
	for asked, want := range map[string]OutcomeWord{"stop": Failed, "commit": Failed, "delete": RolledBack, "create": RolledBack} {
		t.Run(asked, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			f.RunID = func() string { return "run1" }
			ctx, cancel := context.WithCancelCause(t.Context())
			strike := func(what string) {
				if what == asked {
					cancel(errors.New("the operator pressed Ctrl-C"))
				}
			}
			f.Engine = lateEngine{&queue{}, f.Engine, strike}
			plain, asking := f.Driver, &queue{}
			f.Switch = lateSwitch{asking, f.Switch, strike}
			f.Driver = func(ctx context.Context, at driver.Place) (lifecycle.Driver, error) {
				d, err := plain(ctx, at)
				return lateDriver{asking, d, strike}, err
			}
			got, err := f.upgrade(ctx, "alpha")
			if err != nil || got[0].Outcome != want || got[0].Unfinished || !strings.Contains(got[0].Reason, "the operator pressed Ctrl-C") {
				t.Fatalf("upgrade = %+v, %v, want %s", got, err, want)
			}
			time.Sleep(3 * lateBy)
			w.settled(t, f, "alpha", "running")
			if _, kept := w.engine.Committed("sandkeeper-rollback/alpha:run1"); kept != (want == RolledBack) {
				t.Errorf("the rollback image is there: %v", kept)
			}
		})
	}
}

// TestAStopOfARunThatWasKilledIsWaitedFor goes back while the gateway is still about to stop the sandbox.
func TestAStopOfARunThatWasKilledIsWaitedFor(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.killedAt(t, StepStopping)
	late := lateSwitch{&queue{}, f.Switch, func(string) {}}
	abandoned, cancel := context.WithCancel(t.Context())
	cancel()
	_ = late.StopSandbox(abandoned, sandbox.Sandbox{ID: "id-alpha", Name: "alpha", Gateway: "gw"}) // it comes about, and nobody waits
	f.Switch = late
	got, err := f.task(t.Context(), "rollback")
	if err != nil || got[0].Outcome != RolledBack {
		t.Fatalf("rollback = %+v, %v", got, err)
	}
	time.Sleep(3 * lateBy)
	w.settled(t, f, "alpha", "running")
}
