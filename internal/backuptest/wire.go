package backuptest

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// Wire stands between us and the real engine and can be cut: after so many bytes of one answer, or for good.
type Wire struct {
	socket string
	mu     sync.Mutex
	budget int64 // bytes of answers until the cut; negative: no cut
	dead   bool  // refuse new connections after the cut
	near   []net.Conn
}

func (w *Wire) serve(near net.Conn, engine string) {
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

func (w *Wire) refuses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// cut takes n bytes from the budget and reports whether it is used up. A wire that is not dead then lets all through
// again.
func (w *Wire) cut(n int64) bool {
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

// Arm cuts the wire after so many bytes from the engine; dead, nothing comes through afterwards.
func (w *Wire) Arm(budget int64, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budget, w.dead = budget, dead
	for _, c := range w.near {
		if dead {
			c.Close()
		}
	}
}

// Engine is the real engine, reached through the wire.
func (w *Wire) Engine(t *testing.T) *engine.Engine {
	t.Helper()
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse(os.Environ()).With("DOCKER_HOST=unix://" + w.socket)})
	if e == nil {
		t.Fatal(state.Why)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// NewWire is a wire to the engine e.
func NewWire(t *testing.T, e *engine.Engine) *Wire {
	t.Helper()
	engine, err := url.Parse(e.Host())
	if err != nil || engine.Scheme != "unix" {
		t.Skipf("SKIPPED, the engine %q is not on a unix socket", e.Host())
	}
	w := &Wire{socket: filepath.Join(t.TempDir(), "wire.sock"), budget: -1}
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

// BigHome puts incompressible data into a running sandbox, enough for a read to take a while.
func BigHome(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) {
	t.Helper()
	_, exit, err := e.Exec(t.Context(), sb.Container.ID, []string{"dd", "if=/dev/urandom", "of=/sandbox/big", "bs=1M", "count=150"})
	if err != nil || exit != 0 {
		t.Fatalf("dd: exit %d, %v", exit, err)
	}
}
