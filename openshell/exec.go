package openshell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sandkeeper/internal/command"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
)

// ExecRequest is one command to run inside a sandbox.
type ExecRequest struct {
	Gateway string
	// Workspace is that of the sandbox; "" is the one that the CLI takes by itself. A CLI before 0.0.88 knows none.
	Workspace string
	Name      string
	Argv      []string
	Stdin     io.Reader     // nil is /dev/null; the CLI reads all of it, at most 4 MiB, before it starts (docs/facts/openshell.md 2.3)
	Stdout    io.Writer     // receives the raw bytes as they come; nil discards them
	Timeout   time.Duration // of the whole command, rounded up to seconds; 0 means that only ctx ends it
}

// ExecResult is how the command inside the sandbox ended.
type ExecResult struct {
	Exit   int
	Stderr string
}

// ExecError means that the command could not be run inside the sandbox, or that nobody can say how it ended.
type ExecError struct {
	Gateway string
	Name    string // as sandboxname.Address gives it
	Output  string // what the CLI printed on standard error, one line
	// At most one of these is set: the sandbox is not in phase Ready; the gateway has lost the sandbox's supervisor;
	// the gateway has no such sandbox; the gateway did not answer; the time limit ran out.
	NotReady, RelayFailed, NotFound, Unreachable, TimedOut bool
	Err                                                    error
}

// Error names the sandbox and shows the CLI's own words.
func (e *ExecError) Error() string {
	what := fmt.Sprintf("sandbox %q", e.Name) + of(e.Gateway)
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", what, e.Err)
	}
	return what + ": " + text.OneLine(e.Output, 260)
}

// Unwrap gives the cause.
func (e *ExecError) Unwrap() error { return e.Err }

// execGrace is what the CLI may take on top of the command's own time limit.
const execGrace = 15 * time.Second

// Exec runs a command inside a sandbox. A command that ran and failed is a result; a *MismatchError or *ExecError means
// that it was not run or not seen to its end.
func (c *CLI) Exec(ctx context.Context, r ExecRequest) (ExecResult, error) {
	in := *c
	if r.Workspace != "" {
		in.Env = c.Env.With("OPENSHELL_WORKSPACE=" + r.Workspace)
	}
	cmd := in.command(r.Gateway, "sandbox", "exec")
	cmd.Args = append(cmd.Args, "-n", r.Name)
	cmd.Timeout = 0
	if r.Timeout > 0 {
		cmd.Timeout = r.Timeout + execGrace
		cmd.Args = append(cmd.Args, "--timeout", strconv.Itoa(int((r.Timeout+time.Second-1)/time.Second)))
	}
	cmd.Args = append(append(cmd.Args, "--"), r.Argv...)
	cmd.Stdin, cmd.Stdout = r.Stdin, r.Stdout
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	result, err := c.run(ctx, cmd)
	if err != nil {
		timedOut := result.TimedOut || errors.Is(err, context.DeadlineExceeded)
		return ExecResult{}, &ExecError{Gateway: r.Gateway, Name: sandboxname.Address(r.Workspace, r.Name), Output: text.OneLine(string(result.Stderr), 0), TimedOut: timedOut, Err: err}
	}
	if failure := transportFailure(r, result); failure != nil {
		return ExecResult{}, failure
	}
	return ExecResult{Exit: result.Exit, Stderr: string(result.Stderr)}, nil
}

// own is the CLI's own last word: an "Error:" line in its wording for gRPC, transport and phase errors. The command
// inside the sandbox writes to the same stream, so that an "Error:" alone is not enough.
var own = pattern.Of(`(?m)^Error: .*(?:status: [A-Z][A-Za-z]+, message: |code: '|transport error|client error \(|is not ready \(phase: |[Uu]nknown gateway|No active gateway|not found)`)

func transportFailure(r ExecRequest, result command.Result) error {
	message := own().FindString(text.Normalise(string(result.Stderr)))
	if message == "" {
		return nil
	}
	written := text.Normalise(string(result.Stderr))
	written = written[strings.LastIndex(written, message):]
	switch {
	case DecodeFailure(written): // whatever the exit code, as for every state call
		return &MismatchError{Gateway: r.Gateway, Op: "sandbox exec", Output: text.OneLine(written, 0)}
	case result.Exit != 1:
		return nil
	}

	failure := &ExecError{Gateway: r.Gateway, Name: sandboxname.Address(r.Workspace, r.Name), Output: text.OneLine(written, 0)}
	squeezed := squeeze(written)
	switch {
	case strings.Contains(squeezed, "isnotready"):
		failure.NotReady = true
	case strings.Contains(squeezed, "supervisorrelayfailed") || strings.Contains(squeezed, "supervisorsessionnotconnected"):
		failure.RelayFailed = true
	case strings.Contains(squeezed, "sandboxnotfound"):
		failure.NotFound = true
	case contains(written, unreachableWordings):
		failure.Unreachable = true
	}

	return failure
}
