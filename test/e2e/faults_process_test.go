package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// soaking reports whether the full number of rounds is asked for (make soak) and not the short one of every change.
func soaking() bool { return os.Getenv("SANDKEEPER_SOAK") == "1" }

// rounds is how often a fault strikes.
func rounds(short, full int) int {
	if soaking() {
		return full
	}
	return short
}

// process is a sandkeeper that runs: its stage lines can be waited for, and it can be killed.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard error; closed at its end
	stdout bytes.Buffer

	mu   sync.Mutex
	said strings.Builder
}

// begin starts sandkeeper on this host without waiting for it.
func (h *host) begin(args ...string) *process {
	h.t.Helper()
	env, err := h.Environment()
	if err != nil {
		h.t.Fatal(err)
	}
	return launch(h.t, slices.Concat(env, engineEnv(), h.extra()), args...)
}

// launch starts sandkeeper in an environment without waiting for it.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, lines: make(chan string, 4096)}
	p.cmd = exec.Command(filepath.Join(os.Getenv(programs), "sandkeeper"), args...)
	p.cmd.Env, p.cmd.Stdout = env, &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			p.mu.Lock()
			p.said.WriteString(scan.Text() + "\n")
			p.mu.Unlock()
			p.lines <- scan.Text()
		}
	}()
	return p
}

// extra is what else is in the environment: where a Go race detector build of the program is under test, its settings.
func (h *host) extra() []string {
	if options := os.Getenv("GORACE"); options != "" {
		return []string{"GORACE=" + options}
	}
	return nil
}

// reach waits for a stage line and reports whether it came before the process ended.
func (p *process) reach(line string) bool {
	limit := time.After(waitLimit)
	for {
		select {
		case got, open := <-p.lines:
			if !open {
				return false
			}
			if got == line {
				return true
			}
		case <-limit:
			p.t.Errorf("%q was not said in time; said:\n%s", line, p.text())
			return false
		}
	}
}

// heldWhileReading begins a backup of the running sandbox and stops its process (SIGSTOP) while it reads the home, with the sandbox paused. On a busy
// machine a run may be past that by then: it goes on to its end, and another one begins.
func (p *patient) heldWhileReading(args ...string) *process {
	p.t.Helper()
	for range 20 {
		run := p.begin(append(args, "--reread")...)
		if !run.reach(p.name + ": reading") {
			p.t.Fatalf("it ended before it read:\n%s", run.text())
		}
		run.hold()
		if p.engine.state(p.container) == "paused" {
			return run
		}
		run.signal(syscall.SIGCONT)
		run.end()
	}
	p.t.Fatal("no run could be stopped while it read")
	return nil
}

// heldInMidFile begins a backup and stops its process when it has stored a little of a file of 96 MB, and not the half of it. A run that is past that
// on a busy machine goes on to its end, and another one begins.
func (p *patient) heldInMidFile(args ...string) *process {
	p.t.Helper()
	for range 20 {
		run := p.begin(args...)
		if !run.reach(p.name + ": reading") {
			p.t.Fatalf("it ended before it read:\n%s", run.text())
		}
		past := func() bool { return strings.Contains(run.text(), p.name+": committing\n") }
		waitFor(waitLimit, func() bool { return p.staged() > 1<<20 || past() })
		run.hold()
		if p.staged() < 48<<20 && !past() {
			return run
		}
		run.signal(syscall.SIGCONT)
		run.end()
		must(p.t, os.RemoveAll(p.backups())) // else the next run need not store it
	}
	p.t.Fatal("no run could be stopped while it read")
	return nil
}

// hold stops the process, and returns when it stands still and what it had asked for by then is done.
func (p *process) hold() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	stat := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	if _, still := waitFor(waitLimit, func() bool {
		content, err := os.ReadFile(stat)
		return err != nil || bytes.Contains(content, []byte(") T ")) || bytes.Contains(content, []byte(") Z "))
	}); !still {
		p.t.Errorf("process %d does not stand still", p.cmd.Process.Pid)
	}
	time.Sleep(300 * time.Millisecond)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// end waits for the end. Exit is -1 after a signal that was not caught.
func (p *process) end() printed {
	p.t.Helper()
	stuck := time.AfterFunc(2*waitLimit, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }) // with all its goroutines
	defer stuck.Stop()
	for range p.lines {
	}
	_ = p.cmd.Wait()
	return printed{p.stdout.String(), p.text(), p.cmd.ProcessState.ExitCode()}
}

// killed reports whether a signal ended the process.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// guards are the guard processes of this host that live.
func (h *host) guards() []int {
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	var pids []int
	for _, file := range found {
		line, _ := os.ReadFile(file)
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if bytes.Contains(line, []byte("guard-paused-containers")) && bytes.Contains(environment, []byte("HOME="+h.Home+"\x00")) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// waitFor polls until something is so, and reports how long that took and whether it came true.
func waitFor(limit time.Duration, so func() bool) (time.Duration, bool) {
	start := time.Now()
	for {
		if so() {
			return time.Since(start), true
		}
		if time.Since(start) > limit {
			return limit, false
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// goesOn waits until a container runs and is not paused.
func (e *engine) goesOn(name string, limit time.Duration) time.Duration {
	e.t.Helper()
	took, ok := waitFor(limit, func() bool { return e.state(name) == "running" })
	if !ok {
		e.t.Errorf("container %s is %s %s later", name, e.state(name), limit)
	}
	return took
}

func (e *engine) state(name string) string {
	e.t.Helper()
	c, err := e.client.ContainerInspect(context.Background(), name)
	if err != nil {
		e.t.Fatal(err)
	}
	return c.State.Status
}
