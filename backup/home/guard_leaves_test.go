package home

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journaltest"
)

// The guard of a dead run goes on looking for a while, and holds the record meanwhile: the next run that wants to pause waits for it. A
// pause that the next run has made already is not the guard's to take back.
func TestGuardLeavesTheNextRunsPauseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, shelf := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}, pauses(t)
		journaltest.Leave(t, shelf, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
		guard := obedientGuard(t)
		next := &Pauser{Engine: f, Host: "unix:///x", Shelf: shelf, Guard: guard, Limit: time.Minute, Now: time.Now}
		freed := make(chan error, 1)
		go func() { freed <- freeOne(t.Context(), backuptest.PauseOf(backuptest.IdA), shelf, dialTo(f)) }()
		time.Sleep(guardSecond + guardSecond/2)
		if state := f.Now(backuptest.IdA); state != "running" {
			t.Errorf("the container is %s after the guard's second look", state)
		}
		release, err := next.Hold(t.Context(), engine.Container{ID: backuptest.IdA})
		if err := errors.Join(err, <-freed); err != nil || f.Now(backuptest.IdA) != "paused" {
			t.Fatalf("the next run's pause: %v, the container is %s", err, f.Now(backuptest.IdA))
		}
		if err := freeOne(t.Context(), backuptest.PauseOf(backuptest.IdA), shelf, dialTo(f)); err != nil || f.Now(backuptest.IdA) != "paused" {
			t.Errorf("a late guard: %v, the container is %s", err, f.Now(backuptest.IdA))
		}
		if there := journaltest.Values(t, shelf); len(there) != 1 {
			t.Errorf("the shelf has %v", there)
		}
		if err := errors.Join(release(), guard.Close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// With the engine gone for good nobody can unpause: that is said, the journal keeps the entry, and the next run makes it good.
func TestEngineGoneInTheMiddleIsMadeGoodByTheNextRun(t *testing.T) {
	real := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, real, true, nil)
	backuptest.BigHome(t, real, sb)
	w := backuptest.NewWire(t, real)
	e := w.Engine(t)
	shelf := pauses(t)
	p := &Pauser{Engine: e, Host: real.Host(), Shelf: shelf, Guard: obedientGuard(t), Limit: time.Hour, Now: time.Now}
	record, err := p.note(t.Context(), *sb.Container)
	if err == nil {
		err = e.Pause(t.Context(), sb.Container.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Arm(0, true)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := Thaw(ctx, e, sb.Container.ID); err == nil {
		t.Fatal("unpaused through a dead wire")
	}
	if err := record.Close(); err != nil { // the run dies, and the engine comes back
		t.Fatal(err)
	}
	found, left := Recover(t.Context(), shelf, Dialer(env.Parse(os.Environ())))
	if len(left) != 0 || len(found) != 1 || !found[0].Unpaused {
		t.Errorf("%+v, %v", found, left)
	}
	backuptest.AssertRunning(t, real, sb, true)
}
