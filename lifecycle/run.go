package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"sandkeeper/internal/tracing"
)

// DefaultTimeout is the deadline of a phase whose extension has no other.
const DefaultTimeout = 30 * time.Second

// defaultGrace is how long a phase may take to notice its cancellation before it is abandoned.
const defaultGrace = time.Second

// call is one phase of one extension about to run.
type call struct {
	link    Link
	phase   Phase
	sandbox Sandbox
	do      func(context.Context) (phaseAnswer, error)
}

// phaseAnswer is what a phase may return beside an error.
type phaseAnswer struct {
	state   *State
	outcome ReconcileOutcome
}

type reply struct {
	phaseAnswer
	err    error
	cutOff bool
	stack  []byte
}

// run calls a phase under its deadline. Neither a panic nor a phase that never returns can harm the caller. The answer
// is also valid beside an error: a phase that came late may have left state that its rollback needs.
func (c *Chain) run(ctx context.Context, p call) (phaseAnswer, error) {
	ctx, span := tracing.Start(ctx, string(p.phase)+" "+p.link.Name, append(attributes(p.sandbox.Reference),
		attribute.String("sandkeeper.extension", p.link.Name))...)
	ctx = withEmitter(ctx, emitter{chain: c, call: p})
	got, abandoned := c.await(ctx, p)
	err := got.err
	if err != nil {
		err = &PhaseError{Phase: p.phase, Extension: p.link.Name, Sandbox: p.sandbox.Reference, Err: err, CutOff: got.cutOff, Abandoned: abandoned, Stack: got.stack}
		c.record(ctx, Event{
			Activity: ActivityOther, Name: string(p.phase), Severity: SeverityHigh, Failure: err,
			Sandbox: p.sandbox.Reference, Extension: p.link.Name, Message: "lifecycle extension failed",
		})
	}

	tracing.End(span, err)
	return got.phaseAnswer, err
}

func (c *Chain) await(ctx context.Context, p call) (got reply, abandoned bool) {
	limit := p.link.timeout()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %s", ErrTimeout, limit))
	defer cancel()
	done := make(chan reply, 1)
	go guarded(ctx, p.do, done)
	select {
	case got = <-done:
		if got.err != nil && ctx.Err() != nil {
			return late(ctx, got), false
		}
		return got, false
	case <-ctx.Done():
	}

	grace := time.NewTimer(c.grace)
	defer grace.Stop()
	select {
	case got = <-done:
		return late(ctx, got), false
	case <-grace.C:
		c.leaks.watch(p.link.Name, done)
		return reply{err: context.Cause(ctx), cutOff: true}, true
	}
}

// late marks the reply of a phase that came back after its context had ended: the limit first, then what the phase said
// itself.
func late(ctx context.Context, got reply) reply {
	cause := context.Cause(ctx)
	got.cutOff = true
	if got.err == nil || errors.Is(got.err, cause) || errors.Is(got.err, ctx.Err()) {
		got.err = cause
		return got
	}
	got.err = errors.Join(cause, got.err)
	return got
}

// guarded sends exactly one reply, also when the phase panics or ends its goroutine without returning (runtime.Goexit).
func guarded(ctx context.Context, do func(context.Context) (phaseAnswer, error), done chan<- reply) {
	got := reply{err: fmt.Errorf("%w: it ended its goroutine", ErrPanic), cutOff: true}
	defer func() {
		if value := recover(); value != nil {
			got = reply{err: fmt.Errorf("%w: %v", ErrPanic, value), cutOff: true, stack: debug.Stack()}
		}
		done <- got
	}()
	a, err := do(ctx)
	got = reply{phaseAnswer: a, err: err}
}
