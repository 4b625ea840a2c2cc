package backup

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/engine"
)

// The guard of a dead run goes on looking for a while; a pause that the next run has journalled meanwhile is not its to take back.
func TestGuardLeavesTheNextRunsPauseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &freezer{state: map[string]string{idA: "paused"}}
		dead, next := &journal{dir: t.TempDir(), pid: 1}, &journal{pid: 2}
		next.dir = dead.dir
		if err := dead.add(dead.entry(engine.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(guardSecond + guardSecond/2)
			if state := f.now(idA); state != "running" {
				t.Errorf("the container is %s after the guard's second look", state)
			}
			if err := next.add(next.entry(engine.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
				t.Error(err)
			}
			_ = f.Pause(t.Context(), idA)
		}()
		if err := freeAll(t.Context(), map[string]string{idA: "unix:///x"}, dead, dialTo(f)); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		left, err := dead.list()
		if state := f.now(idA); state != "paused" || err != nil || len(left) != 1 || left[0].PID != 2 {
			t.Errorf("the container is %s, the journal holds %+v, %v", state, left, err)
		}
	})
}

// Nor is one called paused or stopped whom others had paused or stopped, and have unpaused or started in the middle.
func TestReadOfWhatOthersHaveMovedIsLive(t *testing.T) {
	for before, want := range map[string]struct {
		stays  Consistency
		reason string
	}{
		"paused": {ConsistencyPaused, "unpaused it while it was read"},
		"exited": {ConsistencyStopped, "started it while it was read"},
	} {
		for _, moves := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moves %v", before, moves), func(t *testing.T) {
				f := newFakeEngine()
				sb := f.add(idA, before, entry{name: "a", body: "1"})
				if moves {
					f.broken.read = func(id string) error { f.state[id] = "running"; return nil }
				}
				consistency, why := consistencyOf(*sb.Container)
				read := &reading{home: containerHome{engine: f, id: idA, dir: "/sandbox"}, container: *sb.Container, stall: stallLimit(time.Minute), meter: newMeter(sb.Name, nil)}
				w := &work{Run: fakeRun(t, f)}
				made, err := w.create(t.Context(), Manifest{Sandbox: sb.Name, Consistency: consistency, ConsistencyReason: why}, read.meter, read)
				if err != nil {
					t.Fatal(err)
				}
				got := made.backup.Manifest
				if !moves && (got.Consistency != want.stays || got.ConsistencyReason != why) {
					t.Errorf("left alone: %q, %q", got.Consistency, got.ConsistencyReason)
				}
				if moves && (got.Consistency != ConsistencyLive || !strings.Contains(got.ConsistencyReason, want.reason)) {
					t.Errorf("moved: %q, %q", got.Consistency, got.ConsistencyReason)
				}
			})
		}
	}
}

// A sandbox that somebody unpaused while it was read is not called paused.
func TestReadThatDidNotStayPausedIsLive(t *testing.T) {
	f := newFakeEngine()
	sb := f.add(idA, "running", entry{name: "a", body: "1"})
	f.broken.read = func(id string) error {
		f.state[id] = "running"
		return nil
	}
	w := &work{Run: fakeRun(t, f)}
	p := &pauser{engine: f, host: f.Host(), journal: testJournal(t), guard: obedientGuard(t), now: time.Now}
	save := func() *Manifest {
		t.Helper()
		m := newMeter(sb.Name, nil)
		read := &reading{home: containerHome{engine: f, id: idA, dir: "/sandbox"}, container: *sb.Container, stall: stallLimit(time.Minute), meter: m, pauser: p, limit: time.Minute}
		made, err := w.create(t.Context(), Manifest{Sandbox: sb.Name, Consistency: ConsistencyPaused}, m, read)
		if err != nil {
			t.Fatal(err)
		}
		return made.backup.Manifest
	}
	if m := save(); m.Consistency != ConsistencyLive || !strings.Contains(m.ConsistencyReason, "unpaused it while it was read") {
		t.Errorf("consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	f.broken.read = nil
	if m := save(); m.Consistency != ConsistencyPaused || m.ConsistencyReason != "" {
		t.Errorf("left alone: consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	if left, err := p.journal.list(); len(left) != 0 || err != nil {
		t.Errorf("journal: %v, %v", left, err)
	}
}
