package backup

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/gateway"
)

// The guard of a dead run goes on looking for a while; a pause that the next run has journalled meanwhile is not its to take back.
func TestGuardLeavesTheNextRunsPauseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &freezer{state: map[string]string{idA: "paused"}}
		dead, next := &journal{dir: t.TempDir(), pid: 1}, &journal{pid: 2}
		next.dir = dead.dir
		if err := dead.add(dead.entry(gateway.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(guardSecond + guardSecond/2)
			if state := f.now(idA); state != "running" {
				t.Errorf("the container is %s after the guard's second look", state)
			}
			if err := next.add(next.entry(gateway.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
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

// A sandbox that somebody unpaused while it was read is not called paused.
func TestReadThatDidNotStayPausedIsLive(t *testing.T) {
	f := newFakeEngine()
	sb := f.add(idA, "running", entry{name: "a", body: "1"})
	f.broken.read = func(id string) error {
		f.state[id] = "running"
		return nil
	}
	w := &work{Run: fakeRun(t, f), engine: f}
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
