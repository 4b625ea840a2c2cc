package survey

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// RefusedError is a gateway that must not be trusted. Report has the evidence and the way out; preflight.Block says it
// to people.
type RefusedError struct {
	Report preflight.Report
	Action preflight.Action
}

// Error names the gateway, and what says more.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("gateway %q cannot be trusted now: sandkeeper preflight says why", e.Report.Gateway)
}

// UnverifiedError is a gateway of which nothing shows that it agrees with the CLI, where that was not allowed.
type UnverifiedError struct {
	Seen   gateway.Observation
	Report preflight.Report
	Action preflight.Action
}

// Error names the gateway and the doubt.
func (e *UnverifiedError) Error() string {
	return fmt.Sprintf("gateway %q: CLI and gateway cannot be shown to agree: %s", e.Report.Gateway, e.Report.Doubt)
}

// TargetError is a choice of a gateway that cannot be made: a name that is none, or settings that contradict each
// other.
type TargetError struct{ Err error }

// Error is that of the choice.
func (e *TargetError) Error() string { return e.Err.Error() }

// Unwrap gives the error of the choice.
func (e *TargetError) Unwrap() error { return e.Err }

// Gate is nil when every gateway may be trusted with the action. Its errors are *TargetError, *RefusedError and, unless
// it is allowed, *UnverifiedError, of the decisive gateway. There must be one.
func (gs Gateways) Gate(action preflight.Action, allowUnverified bool) error {
	decisive := gs.Decisive()
	switch {
	case decisive.Seen.Target.Err != nil:
		return &TargetError{Err: decisive.Seen.Target.Err}
	case decisive.Report.Refused():
		return &RefusedError{Report: decisive.Report, Action: action}
	case decisive.Report.Verdict == drift.Unverified && !allowUnverified:
		return &UnverifiedError{Seen: decisive.Seen, Report: decisive.Report, Action: action}
	}
	return nil
}

// Explain is the report on an error of a state call that betrays a schema mismatch, with the drift that explains it;
// nil for any other error. The host is looked at again first: the gateway may have been replaced since the preflight,
// and that is then the cause.
func (h *Host) Explain(ctx context.Context, err error, gs Gateways, action preflight.Action) *preflight.Report {
	var report preflight.Report
	if mismatch, ok := errors.AsType[*openshell.MismatchError](err); ok {
		report = preflight.JudgeMismatch(h.again(ctx, gs.Named(mismatch.Gateway)), action, mismatch.Output)
	} else if unspecified, ok := errors.AsType[*sandbox.UnspecifiedError](err); ok {
		report = preflight.JudgeUnspecified(h.again(ctx, gs.Named(unspecified.Gateway)), action, unspecified.Count)
	} else {
		return nil
	}
	return &report
}

// again observes a gateway anew; what was seen before when there is no time left for that.
func (h *Host) again(ctx context.Context, g Gateway) gateway.Observation {
	seen := gateway.Observe(ctx, h.Options(g.Binding))
	if ctx.Err() != nil {
		return g.Seen
	}
	return seen
}
