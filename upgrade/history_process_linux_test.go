package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/internal/powercut"
)

var errDied = errors.New("the process died")

// fate is what befalls a process.
type fate struct {
	paused bool   // its calls are counted from the one that pauses the sandbox on
	dies   int    // at which of its calls to the engine or the gateway; 0: it does not
	after  bool   // the call is carried out, and the process dies before it has the answer
	lost   string // the operation of the gateway whose next answer is an error although it is carried out; "" is none
	disk   int    // at which of its calls to the disk it dies; 0: it does not
	power  bool   // the power goes with it: the disk keeps what was synced, and of the rest any part
	guard  bool   // its guard dies with it
	deaf   int    // the call whose answer is lost on its way although it is carried out; 0 is none
	meets  int    // the call before which another process does its command; 0: none does
	other  string // that command
}

// String is the fate in words.
func (f fate) String() string {
	from := map[bool]string{true: " from the pause on"}[f.paused]
	switch {
	case f.dies > 0:
		return fmt.Sprintf("dies at call %d%s (carried out: %v; with the power: %v, its guard: %v)", f.dies, from, f.after, f.power, f.guard)
	case f.disk > 0:
		return fmt.Sprintf("dies at call %d to the disk (with the power: %v, its guard: %v)", f.disk, f.power, f.guard)
	case f.deaf > 0:
		return fmt.Sprintf("answer lost to call %d%s", f.deaf, from)
	case f.lost != "":
		return "answer lost to " + f.lost
	case f.meets > 0:
		return fmt.Sprintf("meets %s at call %d%s", f.other, f.meets, from)
	}
	return "nothing befalls it"
}

// reach is how many calls a command makes, so that what befalls it falls within it: to the engine and the gateway, those of them that begin
// with a pause and end with its end, and to the disk.
type reach struct{ calls, paused, disk int }

func reachOf(command string) reach {
	switch command {
	case "backup":
		return reach{calls: 17, paused: 7, disk: 49}
	case "restore":
		return reach{calls: 21, disk: 16}
	case "upgrade":
		return reach{calls: 110, disk: 228}
	}
	return reach{calls: 70, disk: 120} // what ends an upgrade: it depends on where that is
}

func (h *history) fate(command string) fate {
	within, f := reachOf(command), fate{guard: h.rand.IntN(3) == 0}
	calls := within.calls
	if within.paused > 0 && h.rand.IntN(2) == 0 {
		f.paused, calls = true, within.paused
	}
	switch h.rand.IntN(8) {
	case 0:
	case 6:
		f.deaf = 1 + h.rand.IntN(calls)
	case 7:
		f.meets, f.other = 1+h.rand.IntN(calls), []string{"look", "look", "resume", "rollback"}[h.rand.IntN(4)]
	case 1:
		f.lost = []string{"create", "delete", "stop", "start", "list"}[h.rand.IntN(5)]
	case 2, 3:
		f.disk, f.power = 1+h.rand.IntN(within.disk), h.rand.IntN(4) > 0
	default:
		f.dies, f.after, f.power = 1+h.rand.IntN(calls), h.rand.IntN(2) == 0, h.rand.IntN(2) == 0
	}
	return f
}

// process is one run of the program: it reaches the engine and the gateway through doors of its own, which close when it dies. Nothing
// that is left of it does anything after that.
type process struct {
	*fitted
	folder string
	fate   fate
	calls  atomic.Int64 // since the command began, or since its pause
	host   *powercut.Disk
	disk   *powercut.Process
	guard  *guard // nil: nothing was to be paused

	engineHost string
	meet       func() // what another process does meanwhile

	savedID string
	cut     error // what went wrong with the power cut
	ready   atomic.Bool
	died    chan struct{}
	dead    sync.Once
}

func (h *history) begin(f fate) *process {
	h.t.Helper()
	p := &process{folder: h.folder, fate: f, died: make(chan struct{}), host: h.disk, engineHost: h.world.engine.Host()}
	p.meet = func() { h.meanwhile(f.other) }
	if h.rand.IntN(2) == 0 {
		h.disk.Sync() // the disk had the time to write all that was left to it
	}
	p.disk = h.disk.Process(f.disk, p.die)
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		h.t.Fatal(err)
	}
	engineDoor := p.door(h, filepath.Join(dir, "e"), h.world.engine.Socket)
	gatewayDoor := p.door(h, filepath.Join(dir, "g"), h.world.socket)
	h.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.fitted, err = fit(h.t.Context(), h.folder, "unix://"+engineDoor, gatewayDoor, nowhere)
	if err != nil {
		h.t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(h.folder, "backups"), store.Options{Now: h.now, Disk: p.disk})
	if err != nil {
		h.t.Fatal(err)
	}
	p.Journal.shelf = p.Journal.shelf.Watched(p.disk.Watch)
	p.ready.Store(true) // the greeting of the engine was no part of the command
	p.Now, p.backups.Store = h.now, st
	eng := p.engine
	p.backups.Run = func() *backup.Options {
		return &backup.Options{Store: st, Engine: eng, PauseLimit: pauseLimit, Pauses: p.pauses(), Guard: p.startGuard}
	}
	h.world.mu.Lock()
	h.world.lost = f.lost
	h.world.mu.Unlock()
	return p
}

// door leads to a socket until the process is dead.
func (p *process) door(h *history, path, to string) string {
	h.t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		h.t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "there"})
	through.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", to)
	}}
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := p.call(r); {
		case p.isDead(), n == p.fate.dies && !p.fate.after:
			p.die()
		case n == p.fate.dies:
			through.ServeHTTP(&nobody{header: http.Header{}}, r)
			p.die()
		case n == p.fate.deaf:
			through.ServeHTTP(&nobody{header: http.Header{}}, r)
			panic(http.ErrAbortHandler) // the connection breaks
		case n == p.fate.meets:
			p.meet()
			through.ServeHTTP(w, r)
		default:
			through.ServeHTTP(w, r)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	return path
}

// call numbers a request from 1 on; -1 is one that nothing can befall.
func (p *process) call(r *http.Request) int {
	before := p.fate.paused && p.calls.Load() == 0 && !strings.HasSuffix(r.URL.Path, "/pause")
	if before || !p.ready.Load() {
		return -1
	}
	return int(p.calls.Add(1))
}

func (p *process) isDead() bool {
	select {
	case <-p.died:
		return true
	default:
		return false
	}
}

// die ends the process: whoever called waits for ever.
func (p *process) die() {
	p.dead.Do(func() { close(p.died) })
	select {}
}

// nobody takes an answer that never arrives.
type nobody struct{ header http.Header }

// Header is http.ResponseWriter.
func (n *nobody) Header() http.Header { return n.header }

// Write is http.ResponseWriter.
func (n *nobody) Write(b []byte) (int, error) { return io.Discard.Write(b) }

// WriteHeader is http.ResponseWriter.
func (n *nobody) WriteHeader(int) {}

// bury takes the dead process's kernel locks away, as the kernel does: what is still open of its files stays so, and nobody uses it.
func (p *process) bury() {
	open, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err != nil || !strings.HasPrefix(path, p.folder+"/") {
			continue
		}
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err == nil {
			_ = unix.Flock(fd, unix.LOCK_UN)
		}
	}
}

// command is what one invocation of the program does.
func (p *process) command(ctx context.Context, command string) ([]Outcome, error) {
	defer p.Journal.Close()
	p.unpause(ctx)
	word, id, _ := strings.Cut(command, " ")
	switch word {
	case "look":
		return nil, nil
	case "backup", "restore":
		targets, err := p.targets(ctx, "alpha")
		if err != nil || len(targets) != 1 {
			return nil, errors.Join(err, fmt.Errorf("%d sandboxes", len(targets)))
		}
		if word == "restore" {
			return nil, p.restore(ctx, targets[0], id)
		}
		saved, err := p.backups.Save(ctx, targets[0].Sandbox)
		p.savedID = saved.ID
		return nil, err
	}
	return p.task(ctx, command)
}

// restore is the command restore: the home that it replaces is kept as a backup of its own.
func (p *process) restore(ctx context.Context, t Target, id string) error {
	b := *p.backups
	if err := b.Restore(ctx, t.Sandbox, id); err != nil {
		return err
	}
	_, err := b.Store.Find(t.Sandbox.Name, store.Latest)
	return err
}
