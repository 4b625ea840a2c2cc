package backup

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// wire stands between us and the real engine and can be cut: after so many bytes of one answer, or for good.
type wire struct {
	socket string
	mu     sync.Mutex
	budget int64 // bytes of answers until the cut; negative: no cut
	dead   bool  // refuse new connections after the cut
	near   []net.Conn
}

func newWire(t *testing.T, e *engine.Engine) *wire {
	t.Helper()
	engine, err := url.Parse(e.Host())
	if err != nil || engine.Scheme != "unix" {
		t.Skipf("SKIPPED, the engine %q is not on a unix socket", e.Host())
	}
	w := &wire{socket: filepath.Join(t.TempDir(), "wire.sock"), budget: -1}
	listener, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.near = append(w.near, near)
			w.mu.Unlock()
			go w.serve(near, engine.Path)
		}
	}()
	return w
}

func (w *wire) serve(near net.Conn, engine string) {
	defer near.Close()
	far, err := net.Dial("unix", engine)
	if err != nil || w.cut(0) && w.refuses() {
		return
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, near)
		far.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := far.Read(buffer)
		if w.cut(int64(n)) {
			return
		}
		if _, werr := near.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (w *wire) refuses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// cut takes n bytes from the budget and reports whether it is used up. A wire that is not dead then lets all through again.
func (w *wire) cut(n int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.budget < 0 {
		return false
	}
	if w.budget -= n; w.budget > 0 {
		return false
	}
	if w.budget = 0; !w.dead {
		w.budget = -1
	}
	return true
}

func (w *wire) arm(budget int64, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budget, w.dead = budget, dead
	for _, c := range w.near {
		if dead {
			c.Close()
		}
	}
}

func (w *wire) engine(t *testing.T) *engine.Engine {
	t.Helper()
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse(os.Environ()).With("DOCKER_HOST=unix://" + w.socket)})
	if e == nil {
		t.Fatal(state.Why)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// bigHome puts incompressible data into a running sandbox, enough for a read to take a while.
func bigHome(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) {
	t.Helper()
	_, exit, err := e.Exec(t.Context(), sb.Container.ID, []string{"dd", "if=/dev/urandom", "of=/sandbox/big", "bs=1M", "count=150"})
	if err != nil || exit != 0 {
		t.Fatalf("dd: exit %d, %v", exit, err)
	}
}

func TestConnectionCutInTheMiddle(t *testing.T) {
	real := realEngine(t)
	sb := realSandbox(t, real, true, nil)
	bigHome(t, real, sb)
	w := newWire(t, real)
	r := realRun(t, w.engine(t))
	r.Progress = func(e Event) {
		if e.Stage == StageReading && e.Bytes == 0 {
			w.arm(20<<20, false)
		}
	}
	summary, err := r.All(t.Context(), inventoryOf(sb))
	if err != nil || summary.Totals.Failed != 1 || !strings.Contains(summary.Sandboxes[0].Reason, "broke off") {
		t.Errorf("%+v, %v", summary.Sandboxes, err)
	}
	assertRunning(t, real, sb, true)
	assertJournalEmpty(t, r)
	if found, err := r.Store.Backups(sb.Name); err != nil || len(found) != 0 {
		t.Errorf("a half backup is visible: %v, %v", found, err)
	}
}

// With the engine gone for good nobody can unpause: that is said, the journal keeps the entry, and the next run makes it good.
func TestEngineGoneInTheMiddleIsMadeGoodByTheNextRun(t *testing.T) {
	real := realEngine(t)
	sb := realSandbox(t, real, true, nil)
	bigHome(t, real, sb)
	w := newWire(t, real)
	e := w.engine(t)
	j := testJournal(t)
	p := &pauser{engine: e, host: e.Host(), journal: j, guard: obedientGuard(t), now: time.Now}
	if _, err := p.hold(t.Context(), *sb.Container); err != nil {
		t.Fatal(err)
	}
	w.arm(0, true)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := thaw(ctx, e, sb.Container.ID); err == nil {
		t.Fatal("unpaused through a dead wire")
	}
	left, err := j.list()
	if err != nil || len(left) != 1 {
		t.Fatalf("journal %v, %v", left, err)
	}
	left[0].PID, left[0].Host = 1<<30, real.Host() // the run dies, and the engine comes back
	if err := j.add(left[0]); err != nil {
		t.Fatal(err)
	}
	found, err := Recover(t.Context(), j.dir, Dialer(env.Parse(os.Environ())))
	if err != nil || len(found) != 1 || !found[0].Unpaused {
		t.Errorf("%+v, %v", found, err)
	}
	assertRunning(t, real, sb, true)
}

// The engine keeps a container locked while it is read, so that it cannot be unpaused before the read is given up.
func TestPauseLimitInTheMiddleOfARead(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, true, nil)
	bigHome(t, e, sb)
	r := realRun(t, e)
	r.PauseLimit = 100 * time.Millisecond
	b := backedUp(t, r, sb)
	if m := b.Manifest; m.Consistency != ConsistencyLive || !strings.Contains(m.ConsistencyReason, "100ms") || m.Content.Bytes != 150<<20 {
		t.Errorf("consistency %q, %q, %d bytes", m.Consistency, m.ConsistencyReason, m.Content.Bytes)
	}
	assertRunning(t, e, sb, true)
	assertJournalEmpty(t, r)
}

func TestInterruptInTheMiddleOfARead(t *testing.T) {
	e := realEngine(t)
	sb := realSandbox(t, e, true, nil)
	bigHome(t, e, sb)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("Ctrl-C")
	r := realRun(t, e)
	r.Progress = func(e Event) {
		if e.Stage == StageReading && e.Bytes > 0 {
			cancel(reason)
		}
	}
	summary, err := r.All(ctx, inventoryOf(sb))
	if !errors.Is(err, reason) || summary.Totals.Failed != 1 {
		t.Errorf("%+v, %v", summary.Totals, err)
	}
	assertRunning(t, e, sb, true)
	assertJournalEmpty(t, r)
}
