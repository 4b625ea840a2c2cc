package upgrade

import (
	"context"
	"errors"
	"fmt"

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
	refused := j.Switch.StopSandbox(patient, j.sandbox(id, c))
	if refused != nil && !driver.EngineMay(refused) {
		return refused
	}
	// A container that somebody has started behind the gateway's back runs on although it is Stopped there.
	now, err := j.Engine.Inspect(patient, c.ID)
	if err == nil && (now.Running() || now.Paused()) {
		err = j.stopByEngine(patient, id, now, refused)
	}
	return errors.Join(err, context.Cause(ctx))
}

// stopByEngine stops a container that its gateway left running; refused is what that said. One of a pair is left to its
// gateway, which takes a workload that ends without it for one that has completed.
func (j *job) stopByEngine(ctx context.Context, id string, c engine.Container, refused error) error {
	if c.Paired() {
		only := fmt.Errorf("container %s runs, and only its gateway stops both containers of the sandbox (%q)", c.Name, j.sandbox(id, c).Invocation("stop"))
		return errors.Join(only, refused)
	}
	return j.Engine.Stop(ctx, c.ID)
}

// rouse starts a sandbox through its gateway, unless it runs.
func (j *job) rouse(ctx context.Context, id string, c engine.Container) error {
	if c.Running() {
		record, found, err := j.listed(ctx)
		switch {
		case err != nil || !found || record.ID != id:
			return err
		case record.Phase == "Stopped": // somebody else has started its container; its gateway starts only what does not run
			if err := j.stopByEngine(ctx, id, c, nil); err != nil {
				return err
			}
		case record.Phase != "Stopping":
			return nil
		}
	}

	err := j.Switch.StartSandbox(ctx, j.sandbox(id, c))
	if driver.EngineMay(err) && !c.Paired() {
		return j.Engine.Start(ctx, c.ID)
	}
	return err
}
