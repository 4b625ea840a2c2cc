package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// Execer runs a command in a sandbox through its gateway; *openshell.CLI is one.
type Execer interface {
	Exec(ctx context.Context, r openshell.ExecRequest) (openshell.ExecResult, error)
}

// UnreachableError means that a sandbox did not run even the first command: it, its supervisor or its gateway does not
// answer.
type UnreachableError struct {
	Sandbox string
	Err     error
}

// Error says who did not answer, and how.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("sandbox %q cannot be reached through its gateway: %v", e.Sandbox, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// ExecHome is the home of a sandbox that can only be reached through its gateway: its own tar reads it, as its own
// user.
type ExecHome struct {
	Cli     Execer
	Gateway string
	Space   string // the workspace
	Name    string
	Dir     string

	mu       sync.Mutex
	unread   []unreadEntry // what tar could not read, known when the stream has ended
	Warnings []string
}

// Read starts tar in the sandbox. Its exit status is judged together with what it complained about: an entry that
// cannot be read costs only itself; a complaint that names no entry ends the stream with an error.
func (h *ExecHome) Read(ctx context.Context) (io.ReadCloser, string, error) {
	ctx, cancel := context.WithCancel(ctx)
	from, to := io.Pipe()
	sent := &countWriter{to: to}
	go func() {
		result, err := h.Cli.Exec(ctx, openshell.ExecRequest{
			Gateway: h.Gateway, Workspace: h.Space, Name: h.Name, Argv: []string{"tar", "-cf", "-", "-C", h.Dir, "."}, Stdout: sent,
		})
		to.CloseWithError(h.judge(result, err, sent.n))
	}()
	return &execStream{PipeReader: from, cancel: cancel}, ".", nil
}

func (h *ExecHome) judge(r openshell.ExecResult, err error, sent int64) error {
	mismatch, mismatched := errors.AsType[*openshell.MismatchError](err)
	switch {
	case mismatched:
		return mismatch
	case err != nil && sent == 0:
		return &UnreachableError{Sandbox: sandboxname.Address(h.Space, h.Name), Err: err}
	case err != nil:
		return err
	case r.Exit == 0 && strings.TrimSpace(r.Stderr) == "":
		return nil
	}

	report := readTarComplaints(r.Stderr)
	switch {
	case r.Exit > 2 || r.Exit < 0, r.Exit != 0 && len(report.unread)+len(report.changed) == 0:
		return fmt.Errorf("tar ended with exit status %d: %s", r.Exit, text.OneLine(r.Stderr, 260))
	case r.Exit != 0 && len(report.other) > 0:
		return fmt.Errorf("tar ended with exit status %d: %s", r.Exit, text.OneLine(report.other[0], 260))
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread = report.unread
	for _, name := range report.changed {
		h.Warnings = append(h.Warnings, fmt.Sprintf("%q changed while it was read", name))
	}
	return nil
}

// OmitUnread lists what tar could not read. To be called after the stream has ended.
func (h *ExecHome) OmitUnread(into Sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, entry := range h.unread {
		into.Omit(entry.name, entry.reason)
	}
}

// execStream ends the command when the reader has had enough.
type execStream struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the stream and the command behind it.
func (s *execStream) Close() error {
	s.cancel()
	return s.PipeReader.Close()
}

type countWriter struct {
	to io.Writer
	n  int64
}

// Write writes on and counts what was taken.
func (w *countWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}
