package command

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/internal/text"
)

func shell(script string) Command {
	return Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Timeout: time.Minute}
}

func TestRunKeepsBothStreamsAndTheExitStatus(t *testing.T) {
	result, err := Run(t.Context(), shell("echo out; echo err >&2; exit 3"))
	if err != nil || result.Exit != 3 || string(result.Stdout) != "out\n" || string(result.Stderr) != "err\n" || result.TimedOut || result.Truncated {
		t.Errorf("got %+v, %v", result, err)
	}
	if got := result.Combined(); got != "out\n\nerr\n" {
		t.Errorf("combined: got %q", got)
	}
	if got := (Result{Stderr: []byte("e")}).Combined(); got != "e" {
		t.Errorf("combined without output: got %q", got)
	}
}

func TestStandardInputIsEmptyUnlessGiven(t *testing.T) {
	result, err := Run(t.Context(), shell("wc -c"))
	if err != nil || strings.TrimSpace(string(result.Stdout)) != "0" {
		t.Errorf("nil: got %q, %v", result.Stdout, err)
	}
	c := shell("cat")
	c.Stdin = strings.NewReader("given")
	if result, err := Run(t.Context(), c); err != nil || string(result.Stdout) != "given" {
		t.Errorf("given: got %q, %v", result.Stdout, err)
	}
}

func TestEnvironmentIsOurs(t *testing.T) {
	t.Setenv("LEAKED", "yes")
	c := Command{Path: "/usr/bin/env", Env: []string{"ONLY=this"}}
	if result, err := Run(t.Context(), c); err != nil || string(result.Stdout) != "ONLY=this\n" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
}

func TestMissingProgramIsAnError(t *testing.T) {
	result, err := Run(t.Context(), Command{Path: "/no/such/program"})
	if !errors.Is(err, fs.ErrNotExist) || result.Exit != -1 || result.TimedOut {
		t.Errorf("got %+v, %v", result, err)
	}
}

// A hanging program is ended with all its children, and what it had said is kept.
func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	c := shell("echo said; sleep 60 & echo $! >" + pidFile + "; wait")
	c.Timeout = 2 * time.Second // enough for all that it says and starts
	start := time.Now()
	result, err := Run(t.Context(), c)
	if !errors.Is(err, context.DeadlineExceeded) || !result.TimedOut || result.Exit != -1 || string(result.Stdout) != "said\n" {
		t.Errorf("got %+v, %v", result, err)
	}
	if !strings.Contains(err.Error(), "2s") || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %s: want the limit named, soon", err, time.Since(start))
	}
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Errorf("grandchild %d outlived the limit", pid)
	}
}

// gone waits for a killed process to end; one that nobody has reaped yet is gone as well.
func gone(pid int) bool {
	for range 1000 {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(status), ") Z ") || syscall.Kill(pid, 0) != nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// A grandchild that keeps the pipes open must not keep us: the program itself has ended.
func TestGrandchildHoldingThePipes(t *testing.T) {
	start := time.Now()
	result, err := Run(t.Context(), shell("sleep 60 & echo done $!"))
	said, pid, _ := strings.Cut(strings.TrimSpace(string(result.Stdout)), " ")
	if number, err := strconv.Atoi(pid); err == nil && number > 1 {
		defer func() { _ = syscall.Kill(number, syscall.SIGKILL) }()
	}
	if err != nil || result.Exit != 0 || said != "done" || time.Since(start) > 30*time.Second {
		t.Errorf("got %+v, %v after %s", result, err, time.Since(start))
	}
}

func TestBabblingIsCappedAndDoesNotBlock(t *testing.T) {
	result, err := Run(t.Context(), shell("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 4"))
	if err != nil || !result.Truncated || result.Exit != 4 || len(result.Stdout) != OutputLimit || len(result.Stderr) != OutputLimit {
		t.Errorf("got %d and %d bytes, truncated %v, exit %d, %v", len(result.Stdout), len(result.Stderr), result.Truncated, result.Exit, err)
	}
	exact, err := Run(t.Context(), shell("head -c "+strconv.Itoa(OutputLimit)+" /dev/zero"))
	if err != nil || exact.Truncated || len(exact.Stdout) != OutputLimit {
		t.Errorf("just the limit: got %d bytes, truncated %v, %v", len(exact.Stdout), exact.Truncated, err)
	}
}

func TestCancelIsNotATimeout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	result, err := Run(ctx, shell("sleep 60"))
	if !errors.Is(err, context.Canceled) || result.TimedOut || result.Exit != -1 {
		t.Errorf("got %+v, %v", result, err)
	}
}

// The limit that is named is the one that ran out: a command without one of its own did not answer "within 0s".
func TestTheLimitOfTheCallerIsNamed(t *testing.T) {
	for name, own := range map[string]time.Duration{"without an own limit": 0, "with a longer one": time.Hour} {
		ctx, cancel := text.Within(t.Context(), 50*time.Millisecond)
		_, err := Run(ctx, Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60"}, Timeout: own})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "was cut off: not done within 50ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutputIsStreamedToTheWriter(t *testing.T) {
	var out bytes.Buffer
	c := shell("head -c 20000000 /dev/zero")
	c.Stdout = &out
	result, err := Run(t.Context(), c)
	if err != nil || out.Len() != 20_000_000 || result.Truncated || len(result.Stdout) != 0 {
		t.Errorf("got %d bytes streamed, %d kept, truncated %v, %v", out.Len(), len(result.Stdout), result.Truncated, err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// The writer's own error is the cause, not the broken pipe that the program dies of.
func TestRefusingWriterIsTheCause(t *testing.T) {
	for _, script := range []string{"echo x", "head -c 20000000 /dev/zero", "echo x; exit 5"} {
		c := shell(script)
		c.Stdout = full{}
		if result, err := Run(t.Context(), c); !errors.Is(err, errFull) {
			t.Errorf("%s: got %+v, %v; want %v", script, result, err, errFull)
		}
	}
}

func TestProgramKilledByASignal(t *testing.T) {
	result, err := Run(t.Context(), shell("kill -9 $$"))
	if err != nil || result.Exit != -1 || result.TimedOut {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestAJudgedFileRunsWhateverItsPathLeadsToByNow(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux runs an open file")
	}
	path := filepath.Join(t.TempDir(), "tool")
	for name, content := range map[string]func() []byte{
		"a script":  func() []byte { return []byte("#!/bin/sh\necho judged $1\n") },
		"a program": func() []byte { return read(t, "/bin/echo") },
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, content())
			judged, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer judged.Close()
			write(t, path+".new", []byte("#!/bin/sh\necho replaced\n"))
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			c := Command{Path: path, File: judged, Args: []string{"judged"}}
			if result, err := Run(t.Context(), c); err != nil || !strings.Contains(string(result.Stdout), "judged") {
				t.Errorf("got %q, %v; want the file that was opened", result.Combined(), err)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
