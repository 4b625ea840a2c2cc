package migrate

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

// settle stops one sandbox and saves what it has written until then.
func (e *exporting) settle(ctx context.Context, seen Seen, i int) {
	m, outcome := e.set.member(seen.Sandbox.Workspace, seen.Sandbox.Name), &e.outcome[i]
	if outcome.err != nil {
		return
	}
	err := e.last(ctx, m, seen.Sandbox)
	outcome.Backup, outcome.Stopped = m.Backup, m.Stopped
	if err != nil {
		m.Problem = err.Error()
		outcome.err, outcome.Reason = err, err.Error()
		return
	}

	m.Final, m.Problem = true, ""
	outcome.Status = Exported
}

// last stops the sandbox, proves it, saves it once more, and proves that it was not started meanwhile. Ctrl-C does not
// cut the stop short: a stop that was asked for comes about.
func (e *exporting) last(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	on := e.engineOf(sb)
	if on == nil {
		return e.lastUnseen(ctx, m, sb)
	}
	before, err := on.Inspect(ctx, sb.Container.ID)
	if err != nil {
		return err
	}
	ran := before.Running() || before.Paused()
	if ran {
		e.say(*m, "stopping")
		if err := e.stop(context.WithoutCancel(ctx), on, sb); err != nil {
			return notStopped(m, err)
		}
	}

	stopped, err := stands(ctx, on, sb)
	if err != nil {
		return err
	}
	m.Stopped, m.Started = true, stopped.Started
	e.say(*m, "saving what it wrote until it stopped")
	saved, err := e.Save(ctx, asStopped(sb, stopped))
	if err != nil {
		return fmt.Errorf("it is stopped, and what it wrote since backup %s is in its container only: %w", m.Backup, err)
	}
	e.keep(m, saved)
	after, err := stands(ctx, on, sb)
	if err == nil && !after.Started.Equal(stopped.Started) {
		err = fmt.Errorf("container %q was started while it was saved", sb.Container.Name)
	}
	return err
}

func notStopped(m *Member, err error) error {
	return fmt.Errorf("it is saved (backup %s), and could not be stopped: %w", m.Backup, err)
}

// lastUnseen stops a sandbox that has no container here. What it wrote after its backup is not in the set, and the
// result says so.
func (e *exporting) lastUnseen(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	if e.Stop == nil {
		return errors.New("it has no container on this host, and no gateway is asked")
	}
	e.say(*m, "stopping")
	if err := e.Stop(context.WithoutCancel(ctx), sb); err != nil {
		return notStopped(m, err)
	}
	m.Stopped = true
	e.warnings = append(e.warnings, fmt.Sprintf("%s has no container on this host, and once stopped it cannot be read: what it wrote between "+
		"backup %s and its stop is not in the set", m.Address(), m.Backup))
	return nil
}

// stop stops a sandbox through its gateway. One that the gateway does not stop, because it is too old for it or finds
// it in a phase that leads nowhere, is stopped by the engine: with its restart policy (unless-stopped) it stays so.
func (e *exporting) stop(ctx context.Context, on Engine, sb sandbox.Sandbox) error {
	if e.Stop != nil {
		err := e.Stop(ctx, sb)
		if err != nil && !driver.EngineMay(err) {
			return err
		}
	}

	c, err := on.Inspect(ctx, sb.Container.ID)
	if err != nil || !c.Running() && !c.Paused() {
		return err
	}
	return on.Stop(ctx, sb.Container.ID)
}

// stands proves that a container does not run.
func stands(ctx context.Context, on Engine, sb sandbox.Sandbox) (engine.Container, error) {
	c, err := on.Inspect(ctx, sb.Container.ID)
	if err == nil && (c.Running() || c.Paused()) {
		err = fmt.Errorf("container %q is %s although it was stopped", sb.Container.Name, c.State)
	}
	return c, err
}

func asStopped(sb sandbox.Sandbox, c engine.Container) sandbox.Sandbox {
	sb.Container, sb.Standing, sb.Phase = &c, sandbox.Stopped, "Stopped"
	return sb
}
