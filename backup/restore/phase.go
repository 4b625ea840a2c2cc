package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Switch stops and starts sandboxes through their gateways, so that the gateways know; *driver.Gateways is one. Errors
// wrap openshell.ErrUnsupported where the gateway is too old for it, openshell.ErrPhase where it does neither in the
// sandbox's phase, and fs.ErrNotExist where it has no such sandbox.
type Switch interface {
	StopSandbox(ctx context.Context, sb sandbox.Sandbox) error
	StartSandbox(ctx context.Context, sb sandbox.Sandbox) error
}

// engineMay reports whether an error of a gateway leaves a stop or a start to the container engine: the gateway cannot,
// knows nothing of the sandbox, or cannot be asked. What it answers and refuses stays refused; and one of a pair is
// left to its gateway in any case.
func engineMay(err error, c engine.Container) bool {
	_, silent := errors.AsType[*openshell.ConnectError](err)
	return !c.Paired() && (silent || errors.Is(err, openshell.ErrUnsupported) || errors.Is(err, openshell.ErrPhase) || errors.Is(err, fs.ErrNotExist))
}

// through is the gateway that stops and starts the target; nil leaves that to the engine.
func (r Request) through() *journal.Through {
	if r.Switch == nil || r.Target.Gateway == "" || r.Target.ID == "" {
		return nil
	}
	return &journal.Through{Gateway: r.Target.Gateway, Workspace: r.Target.Workspace, ID: r.Target.ID}
}

// halt stops the container: through its gateway, which would call the sandbox failed otherwise and not start it again;
// by the engine where the gateway leaves it running.
func (p *containerPlace) halt(ctx context.Context, j *restoreJob, mark *restoreMark) error {
	var refused error
	if j.Switch != nil && mark.entry.Through != nil {
		refused = j.Switch.StopSandbox(ctx, j.Target)
	}
	c, err := p.Engine.Inspect(ctx, p.ID)
	switch {
	case err != nil:
		return errors.Join(refused, err)
	case !c.Running() && !c.Paused():
		return nil
	case refused != nil && !engineMay(refused, c):
		return refused
	case c.Paired():
		return fmt.Errorf("only its gateway stops both containers of the sandbox (%q)", j.Target.Invocation("stop"))
	}

	j.byEngine(refused)
	mark.entry.Through = nil
	if err := mark.write(); err != nil {
		return err
	}
	return p.Engine.Stop(ctx, p.ID)
}

// rouse starts the container again, through whoever stopped it.
func (p *containerPlace) rouse(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) error {
	if j.Switch == nil || mark.entry.Through == nil {
		return p.Engine.Start(ctx, p.ID)
	}
	err := j.Switch.StartSandbox(ctx, j.Target)
	if err == nil || !engineMay(err, c) {
		return err
	}
	j.byEngine(err)
	return p.Engine.Start(ctx, p.ID)
}

// byEngine says why it was not the gateway that stopped or started the sandbox. That a gateway is too old for it is no
// trouble.
func (j *restoreJob) byEngine(why error) {
	if why != nil && !errors.Is(why, openshell.ErrUnsupported) {
		j.summary.Warnings = append(j.summary.Warnings, fmt.Sprintf("the container engine was used instead of gateway %q: %v", j.Target.Gateway, why))
	}
}

// rouseLeft starts the container of a restore that was killed. started is false where it ran already.
func (r Recoverer) rouseLeft(ctx context.Context, e Restarter, c engine.Container, entry journal.Restore) (started bool, err error) {
	running := c.Running()
	switch {
	case running && (entry.Through == nil || r.Switch == nil):
		return false, nil
	case entry.Through == nil:
		err := e.Start(ctx, entry.Container)
		return err == nil, err
	case r.Switch == nil:
		return false, fmt.Errorf("gateway %q stopped it and has to start it, and this command asks no gateway", entry.Through.Gateway)
	}

	err = r.Switch.StartSandbox(ctx, sandbox.Sandbox{
		Name: entry.Sandbox, ID: entry.Through.ID, Gateway: entry.Through.Gateway, Workspace: entry.Through.Workspace,
	})
	switch {
	case running: // a gateway that cannot be asked stops nothing either
		return false, nil
	case err != nil && engineMay(err, c):
		err = e.Start(ctx, entry.Container)
	}

	return err == nil, err
}
