package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// StallError means that a source stopped sending: a sandbox may take as long as it needs, but not be silent for longer
// than Limit.
type StallError struct{ Limit time.Duration }

// Error names the limit.
func (e *StallError) Error() string { return fmt.Sprintf("no byte came for %s (stall limit)", e.Limit) }

// stall watches a stream: while somebody waits for it, the clock runs; a byte, or nobody waiting, stops it. A slow
// reader of ours (a busy disk) is therefore never taken for a silent source.
type stall struct {
	Ctx   context.Context
	timer *time.Timer
	limit time.Duration
}

// WatchStall returns a context that is cancelled with a *StallError when the source is silent for limit. The clock runs
// from the start, for the time until the stream is open. stop must be called.
func WatchStall(ctx context.Context, limit time.Duration) (s *stall, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(&StallError{Limit: limit}) })
	return &stall{Ctx: ctx, timer: timer, limit: limit}, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}

// Reader gives r under watch: errors that the watch (or the caller's context) caused are told as their cause.
func (s *stall) Reader(r io.Reader) io.Reader {
	s.timer.Stop()
	return &stallReader{stall: s, from: r}
}

// Blame replaces err by what made the context end, if it did: "context canceled" tells an operator nothing.
func (s *stall) Blame(err error) error { return Blame(s.Ctx, err) }

// Blame is the cause for which ctx ended, where err only says that it did.
func Blame(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || errors.Is(err, cause) {
		return err
	}
	return cause
}

type stallReader struct {
	*stall
	from io.Reader
}

// Read lets the clock run only while the source is waited for.
func (r *stallReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.Ctx); err != nil {
		return 0, err
	}
	r.timer.Reset(r.limit)
	n, err := r.from.Read(p)
	r.timer.Stop()
	if err != nil && err != io.EOF {
		err = r.Blame(err)
	}
	return n, err
}

// Pulse gives r, the source of a write, under watch: the clock runs all the time, and every read sets it back.
func (s *stall) Pulse(r io.Reader) io.Reader { return &pulseReader{stall: s, from: r} }

type pulseReader struct {
	*stall
	from io.Reader
}

// Read sets the clock back with whatever came.
func (r *pulseReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.timer.Reset(r.limit)
	return n, err
}
