package home

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
)

// The guard of a dead run goes on looking for a while; a pause that the next run has journalled meanwhile is not its to take back.
func TestGuardLeavesTheNextRunsPauseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}
		dead, next := &Journal{Dir: t.TempDir(), PID: 1}, &Journal{PID: 2}
		next.Dir = dead.Dir
		if err := dead.Add(dead.Entry(engine.Container{ID: backuptest.IdA}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(GuardSecond + GuardSecond/2)
			if state := f.Now(backuptest.IdA); state != "running" {
				t.Errorf("the container is %s after the guard's second look", state)
			}
			if err := next.Add(next.Entry(engine.Container{ID: backuptest.IdA}, "unix:///x", time.Now())); err != nil {
				t.Error(err)
			}
			_ = f.Pause(t.Context(), backuptest.IdA)
		}()
		if err := FreeAll(t.Context(), map[string]string{backuptest.IdA: "unix:///x"}, dead, dialTo(f)); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		left, err := dead.List()
		if state := f.Now(backuptest.IdA); state != "paused" || err != nil || len(left) != 1 || left[0].PID != 2 {
			t.Errorf("the container is %s, the journal holds %+v, %v", state, left, err)
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
	j := testJournal(t)
	p := &Pauser{Engine: e, Host: e.Host(), Journal: j, Guard: obedientGuard(t), Now: time.Now}
	if _, err := p.Hold(t.Context(), *sb.Container); err != nil {
		t.Fatal(err)
	}
	w.Arm(0, true)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := Thaw(ctx, e, sb.Container.ID); err == nil {
		t.Fatal("unpaused through a dead wire")
	}
	left, err := j.List()
	if err != nil || len(left) != 1 {
		t.Fatalf("journal %v, %v", left, err)
	}
	left[0].PID, left[0].Host = 1<<30, real.Host() // the run dies, and the engine comes back
	if err := j.Add(left[0]); err != nil {
		t.Fatal(err)
	}
	found, err := Recover(t.Context(), j.Dir, Dialer(env.Parse(os.Environ())))
	if err != nil || len(found) != 1 || !found[0].Unpaused {
		t.Errorf("%+v, %v", found, err)
	}
	backuptest.AssertRunning(t, real, sb, true)
}
