// Package command runs other people's programs and never trusts them to end: no standard input, an environment of our
// making, a time limit, a cap on what they may print, and the whole process group gone when the limit is reached.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"sandkeeper/internal/text"
)

// OutputLimit is how many bytes of each stream are kept; a program that prints more is cut off there and Truncated is
// set.
const OutputLimit = 16 << 20

// DefaultTimeout is how long one external command may take unless a caller says otherwise (docs/facts/nemoclaw.md 4.4).
const DefaultTimeout = 15 * time.Second

// grace is how long a killed program's pipes may stay open (a grandchild holding them) before we stop reading.
const grace = 500 * time.Millisecond

// Command is one program to run. Path is absolute and already judged safe by package trust.
type Command struct {
	Path    string
	File    *os.File // Path as it was opened and judged: what runs is this file, whatever Path leads to by now; nil runs Path
	Args    []string // without the program's own name
	Env     []string // the whole environment, "NAME=value"
	Timeout time.Duration
	Stdin   io.Reader // nil is /dev/null
	Stdout  io.Writer // nil keeps the output in Result.Stdout
}

// Result is what the program left behind. It is filled as far as the program came, whatever the error.
type Result struct {
	Stdout    []byte
	Stderr    []byte
	Exit      int // the exit status; -1 when it did not exit by itself
	TimedOut  bool
	Truncated bool
	Took      time.Duration
}

// Combined is standard output and standard error as one text, in that order: OpenShell prints its decode errors to
// either.
func (r Result) Combined() string {
	if len(r.Stdout) == 0 || len(r.Stderr) == 0 {
		return string(r.Stdout) + string(r.Stderr)
	}
	return string(r.Stdout) + "\n" + string(r.Stderr)
}

// Run runs c to its end. The error is non-nil when the program could not be started, was cut off by c.Timeout or by a
// limit of ctx (then it wraps context.DeadlineExceeded and names the limit), or by the end of ctx, or when c.Stdout did
// not take its output; a non-zero exit status alone is not an error: it is in Result.Exit.
func Run(ctx context.Context, c Command) (Result, error) {
	caller := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = text.Within(ctx, c.Timeout)
		defer cancel()
	}

	stdout, stderr := &capped{}, &capped{}
	child := exec.CommandContext(ctx, c.Path, c.Args...)
	c.runFile(child)
	child.Env, child.Stdin, child.Stdout, child.Stderr = c.Env, c.Stdin, stdout, stderr
	sink := &sink{to: c.Stdout}
	if c.Stdout != nil {
		child.Stdout = sink
	}
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Cancel = func() error { return syscall.Kill(-child.Process.Pid, syscall.SIGKILL) }
	child.WaitDelay = grace

	start := time.Now()
	err := child.Run()
	result := Result{
		Stdout: stdout.kept.Bytes(), Stderr: stderr.kept.Bytes(), Truncated: stdout.cut || stderr.cut,
		Exit: -1, Took: time.Since(start),
	}
	if child.ProcessState != nil {
		result.Exit = child.ProcessState.ExitCode()
	}
	if cause := ctx.Err(); cause != nil && result.Exit == -1 {
		result.TimedOut = errors.Is(cause, context.DeadlineExceeded)
		return result, text.As(cause, "%s %s", c.Path, cutOff(caller, c.Timeout))
	}
	if sink.err != nil {
		return result, fmt.Errorf("keeping the output of %s: %w", c.Path, sink.err)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); exited || errors.Is(err, exec.ErrWaitDelay) {
		return result, nil
	}
	return result, err
}

// cutOff says why a program did not come to its end: its own limit ran out, or one of its caller's, or nobody wants it
// any more.
func cutOff(caller context.Context, own time.Duration) string {
	switch cause := context.Cause(caller); {
	case cause == nil:
		return fmt.Sprintf("did not answer within %s", own)
	case errors.Is(caller.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("was cut off: %v", cause)
	}
	return "was cut off"
}

// capped keeps the first OutputLimit bytes and swallows the rest, so that a babbling program neither fills memory nor
// blocks. The buffer is a field, not embedded: its ReadFrom would let io.Copy go round the cap.
type capped struct {
	kept bytes.Buffer
	cut  bool
}

// Write always claims to have taken all of p.
func (b *capped) Write(p []byte) (int, error) {
	if room := OutputLimit - b.kept.Len(); len(p) > room {
		b.cut = true
		b.kept.Write(p[:room])
		return len(p), nil
	}
	return b.kept.Write(p)
}

// sink remembers why the writer refused: os/exec prefers the exit status of a program that died of it.
type sink struct {
	to  io.Writer
	err error
}

// Write writes on and remembers the last refusal.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
