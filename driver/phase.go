package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// EngineMay reports whether an error of StopSandbox or StartSandbox leaves the stop or the start to the container
// engine: the gateway is too old for it, or the sandbox is in a phase that the gateway does not lead out of. Of a
// gateway that does not answer nobody knows what it thinks.
func EngineMay(err error) bool {
	return errors.Is(err, openshell.ErrUnsupported) || errors.Is(err, openshell.ErrPhase)
}

// Limits of a change of phase.
const (
	phaseLimit    = 5 * time.Minute  // the CLI's own (OPENSHELL_LIFECYCLE_TIMEOUT, docs/facts/openshell.md 1.4)
	comingUpLimit = 30 * time.Second // how long a sandbox that is to be stopped may be on its way to Ready
	thawLimit     = 10 * time.Second // how long it may be called paused: its gateway looks every two seconds
	silenceLimit  = 10 * time.Second // how long its gateway may not answer
	phasePoll     = 500 * time.Millisecond
)

// StopSandbox stops a sandbox and waits until its gateway says Stopped; what is in it stays. One that is Stopped
// already is no error. The error wraps openshell.ErrUnsupported before 0.0.105, openshell.ErrPhase where the gateway
// cannot, and fs.ErrNotExist when it has no such sandbox.
func (d *API) StopSandbox(ctx context.Context, wanted lifecycle.Reference) error {
	begun := time.Now()
	return d.phase(ctx, wanted, func(ctx context.Context, now *openshell.RawSandbox) (bool, error) {
		switch now.Phase {
		case "Stopped":
			return true, nil
		case "Ready":
			return false, d.API.StopSandbox(ctx, wanted.Name)
		case "Stopping":
			return false, again(d.API.StopSandbox(ctx, wanted.Name))
		case "Starting":
			return false, again(d.API.StartSandbox(ctx, wanted.Name))
		case "Provisioning", "Unknown":
			if time.Since(begun) < comingUpLimit {
				return false, nil
			}
		case "Error":
			if thawing(now) && time.Since(begun) < thawLimit {
				return false, nil
			}
		}
		return false, notIn(now)
	})
}

// thawing reports whether a gateway calls a sandbox paused. After a pause it does so until its next look, also when
// that pause was a backup's and is over (docs/facts/openshell-0.1.md 1.2).
func thawing(now *openshell.RawSandbox) bool { return strings.HasPrefix(now.Reason, "ContainerPaused") }

// StartSandbox has a gateway start a sandbox that it has stopped; that it becomes Ready is not waited for. One that is
// Ready, or on its way there, is no error. Errors are those of StopSandbox.
func (d *API) StartSandbox(ctx context.Context, wanted lifecycle.Reference) error {
	return d.phase(ctx, wanted, func(ctx context.Context, now *openshell.RawSandbox) (bool, error) {
		switch now.Phase {
		case "Stopped", "Completed":
			return true, d.API.StartSandbox(ctx, wanted.Name)
		case "Starting":
			return true, again(d.API.StartSandbox(ctx, wanted.Name))
		case "Ready", "Provisioning":
			return true, nil
		case "Stopping":
			return false, again(d.API.StopSandbox(ctx, wanted.Name))
		}
		return false, notIn(now)
	})
}

// again is the error of a stop or a start that was asked for once more while it is under way. A gateway forgets one
// whose asker went away just after it had noted the phase, and stays in it for ever; asked again it goes on, or waits
// for the one that goes on already (docs/facts/real-gateway.md 3). One that refuses is waited for.
func again(err error) error {
	if refused, ok := errors.AsType[*openshell.CallError](err); ok && refused.Code == "FailedPrecondition" {
		return nil
	}
	return err
}

func notIn(now *openshell.RawSandbox) error {
	said := now.Phase
	if now.Reason != "" {
		said += " (" + text.OneLine(now.Reason, 120) + ")"
	}
	return fmt.Errorf("sandbox %q is in phase %s: %w", sandbox.Address(now.Workspace, now.Name), said, openshell.ErrPhase)
}

// phase looks at the sandbox that is meant until look is content, which may act on what it sees. A gateway that does
// not answer, or that goes away in the middle of an answer, is asked again for a short while.
func (d *API) phase(ctx context.Context, wanted lifecycle.Reference, look func(context.Context, *openshell.RawSandbox) (bool, error)) error {
	if err := d.API.Switches(); err != nil {
		return err // such a gateway may call a sandbox Ready whose container has ended
	}
	ctx, cancel := context.WithTimeoutCause(ctx, phaseLimit, fmt.Errorf("sandbox %q did not change its phase within %v", d.API.Address(wanted.Name), phaseLimit))
	defer cancel()
	pause := openshell.Backoff{Least: min(d.API.PollInterval, phasePoll), Most: phasePoll}
	heard := time.Now()
	for {
		now, err := d.find(ctx, wanted)
		switch {
		case err != nil && (!openshell.Transient(err) || time.Since(heard) > silenceLimit):
			return err
		case err == nil && now == nil:
			return text.As(fs.ErrNotExist, "gateway %q has no sandbox %q (id %s)", d.API.Gateway, d.API.Address(wanted.Name), wanted.ID)
		case err == nil:
			done, cut := look(ctx, now)
			if openshell.Transient(cut) && ctx.Err() == nil && time.Since(heard) <= silenceLimit {
				break // whether it was heard is seen at the next look
			}
			if done || cut != nil {
				return cut
			}
			heard = time.Now()
		}

		if !pause.Sleep(ctx, false) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// StopSandbox stops a sandbox through its own gateway, in its own workspace, as API.StopSandbox does.
func (g *Gateways) StopSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	api, err := g.in(ctx, Place{sb.Gateway, sb.Workspace})
	if err != nil {
		return err
	}
	return (&API{API: api}).StopSandbox(ctx, referenceTo(sb))
}

// StartSandbox starts a sandbox through its own gateway, in its own workspace, as API.StartSandbox does.
func (g *Gateways) StartSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	api, err := g.in(ctx, Place{sb.Gateway, sb.Workspace})
	if err != nil {
		return err
	}
	return (&API{API: api}).StartSandbox(ctx, referenceTo(sb))
}

func referenceTo(sb sandbox.Sandbox) lifecycle.Reference {
	return lifecycle.Reference{ID: sb.ID, Name: sb.Name, Gateway: sb.Gateway}
}
