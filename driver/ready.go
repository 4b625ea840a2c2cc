package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandkeeper/internal/text"
)

// Defaults of Patience.
const (
	DefaultSettle     = 10 * time.Second
	DefaultReadyLimit = 5 * time.Minute
	defaultPoll       = 500 * time.Millisecond
)

// NotReadyError says how a sandbox was that should have been Ready.
type NotReadyError struct {
	Name, Phase string // Name is its address; Phase "" means that its gateway does not list it, or that its container does not run: Detail says which
	Detail      string
}

// Error names the phase.
func (e *NotReadyError) Error() string {
	if e.Phase == "" {
		return fmt.Sprintf("sandbox %q is not Ready: %s", e.Name, e.Detail)
	}
	said := fmt.Sprintf("sandbox %q is not Ready: its gateway says %q", e.Name, e.Phase)
	if e.Detail != "" {
		said += " (" + text.OneLine(e.Detail, 260) + ")"
	}
	return said
}

// Patience is how long a sandbox that was made or started is watched. A look is a function that looks once: it returns
// nil when the sandbox is Ready, and a *NotReadyError when it is not.
type Patience struct {
	Settle time.Duration // how long it must stay Ready; 0 is DefaultSettle, negative none
	Ready  time.Duration // how long it may take to be Ready; 0 is DefaultReadyLimit
	Poll   time.Duration // between two looks; 0 is half a second
}

// SettleTime is Settle with its default.
func (p Patience) SettleTime() time.Duration { return orDefault(p.Settle, DefaultSettle) }

// ReadyLimit is Ready with its default.
func (p Patience) ReadyLimit() time.Duration { return orDefault(p.Ready, DefaultReadyLimit) }

// Await waits until the sandbox is Ready, at most for the limit. It gives up at once in the phase hopeless; "" is none.
// A sandbox that was just made and comes to Error will not get better. One that was just started may still be shown
// with the stop before, for its gateway learns of both by looking now and then (docs/facts/openshell-0.1.md 1).
func (p Patience) Await(ctx context.Context, look func(context.Context) error, hopeless string) error {
	limit := p.ReadyLimit()
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not Ready within %s", limit))
	defer cancel()
	var seen error
	for {
		err := look(bounded)
		if err == nil {
			return nil
		}
		if seen == nil || bounded.Err() == nil { // a look that the limit cut short has seen nothing
			seen = err
		}
		if not, ok := errors.AsType[*NotReadyError](err); ok && hopeless != "" && not.Phase == hopeless {
			return err
		}
		if stopped := p.Pause(bounded); stopped != nil {
			return fmt.Errorf("%w; at last: %w", stopped, seen)
		}
	}
}

// Stays watches the sandbox for the settle time. Not being Ready ends it; a look that failed counts only when it is the
// last one.
func (p Patience) Stays(ctx context.Context, look func(context.Context) error) error {
	until := time.Now().Add(p.SettleTime())
	for {
		last := !time.Now().Before(until) // a look that took long says how it was at its beginning
		err := look(ctx)
		if not, ok := errors.AsType[*NotReadyError](err); ok {
			return fmt.Errorf("it was Ready and did not stay so: %w", not)
		}
		if last {
			return err
		}
		if err := p.Pause(ctx); err != nil {
			return err
		}
	}
}

// Pause waits for the time between two looks; the error is why ctx ended.
func (p Patience) Pause(ctx context.Context) error {
	timer := time.NewTimer(orDefault(p.Poll, defaultPoll))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}
