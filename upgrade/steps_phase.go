package upgrade

import (
	"context"
	"errors"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

// Switch stops and starts sandboxes through their gateways, so that the gateways know; *driver.Gateways is one.
type Switch interface {
	StopSandbox(ctx context.Context, sb sandbox.Sandbox) error
	StartSandbox(ctx context.Context, sb sandbox.Sandbox) error
}

// halt stops a sandbox through its gateway, and returns when its container does not run. It waits for that also after
// Ctrl-C: a stop that was asked for comes about, and a start before that starts nothing.
func (j *job) halt(ctx context.Context, id string, c engine.Container) error {
	patient := context.WithoutCancel(ctx)
	if err := j.Switch.StopSandbox(patient, j.sandbox(id, c)); err != nil && !driver.EngineMay(err) {
		return err
	}
	// A container that somebody has started behind the gateway's back runs on although it is Stopped there.
	now, err := j.Engine.Inspect(patient, c.ID)
	if err == nil && (now.Running() || now.Paused()) {
		err = j.Engine.Stop(patient, c.ID)
	}
	return errors.Join(err, context.Cause(ctx))
}

// rouse starts a sandbox through its gateway, unless it runs.
func (j *job) rouse(ctx context.Context, id string, c engine.Container) error {
	if c.Running() {
		record, found, err := j.listed(ctx)
		switch {
		case err != nil || !found || record.ID != id:
			return err
		case record.Phase == "Stopped": // somebody else has started its container; its gateway starts only what does not run
			if err := j.Engine.Stop(ctx, c.ID); err != nil {
				return err
			}
		case record.Phase != "Stopping":
			return nil
		}
	}

	err := j.Switch.StartSandbox(ctx, j.sandbox(id, c))
	if driver.EngineMay(err) {
		return j.Engine.Start(ctx, c.ID)
	}
	return err
}
