package home

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
)

// GuardAnswer is how long the guard may take to start, and to acknowledge a pause.
const GuardAnswer = 20 * time.Second

// Guardian is our end of the guard process. Its pipe closes when we end, whatever ends us; the guard acts on that.
type Guardian struct {
	mu      sync.Mutex
	to      io.WriteCloser
	answers chan string // closed when the guard is gone
	wait    func() error
}

// StartGuard runs our own program again with args, in a session of its own, so that neither Ctrl-C nor the end of our
// process group reaches it. It returns once the guard has said that it is ready.
func StartGuard(args []string, e env.Env) (*Guardian, error) {
	if len(args) == 0 {
		return nil, errors.New("no guard command was given")
	}
	self, err := ownProgram()
	if err != nil {
		return nil, err
	}
	child := exec.Command(self, args...)
	child.Args[0] = "sandkeeper" // what a process list shows, instead of /proc/self/exe
	child.Env = guardEnv(e)
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Dir = "/"
	to, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	from, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	g, err := NewGuardian(to, from, child.Wait)
	if err != nil {
		err = errors.Join(err, child.Process.Kill(), to.Close())
		_ = child.Wait() // it was killed
		return nil, err
	}
	return g, nil
}

// NewGuardian is our end of a guard that reads from to and writes to from; wait waits for its end. It returns once the
// guard has said that it is ready.
func NewGuardian(to io.WriteCloser, from io.Reader, wait func() error) (*Guardian, error) {
	g := &Guardian{to: to, answers: make(chan string, 16), wait: wait}
	go func() {
		defer close(g.answers)
		for lines := bufio.NewScanner(from); lines.Scan(); {
			g.answers <- lines.Text()
		}
	}()
	return g, g.expect(guardReady)
}

// ownProgram is the image that we run, also when the file was replaced meanwhile.
func ownProgram() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// guardEnv is what reaching an engine takes, and no more.
func guardEnv(e env.Env) []string {
	var entries []string
	for _, name := range []string{
		"HOME", "PATH", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG",
	} {
		if value, ok := e.Lookup(name); ok {
			entries = append(entries, name+"="+value)
		}
	}
	return entries
}

// watch tells the guard of a pause that is about to happen, and how long it may last, and waits until it has taken
// note.
func (g *Guardian) watch(p journal.Pause, limit time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := json.NewEncoder(g.to).Encode(guardWord{Pause: &p, Limit: limit}); err != nil {
		return err
	}
	return g.expect(guardOK + " " + p.Container)
}

// done tells the guard that a container goes on again. A guard that is gone by then has nothing left to do.
func (g *Guardian) done(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = json.NewEncoder(g.to).Encode(guardWord{Done: id})
}

func (g *Guardian) expect(want string) error {
	limit := time.NewTimer(GuardAnswer)
	defer limit.Stop()
	for {
		select {
		case got, ok := <-g.answers:
			if !ok {
				return errors.New("the guard process ended")
			}
			if strings.TrimSpace(got) == want {
				return nil
			}
		case <-limit.C:
			return fmt.Errorf("the guard process did not answer within %s", GuardAnswer)
		}
	}
}

// Close ends the guard: it has nothing to unpause any more, or does so now, and then ends.
func (g *Guardian) Close(ctx context.Context) error {
	err := g.to.Close()
	ended := make(chan error, 1)
	go func() { ended <- g.wait() }()
	select {
	case waited := <-ended:
		return errors.Join(err, waited)
	case <-ctx.Done():
		return errors.Join(err, context.Cause(ctx))
	}
}
