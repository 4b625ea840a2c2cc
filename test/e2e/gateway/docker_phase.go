package gateway

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SetPhase stops or starts a sandbox through the gateway: a stop only leads from Ready, a start only from Stopped
// (crates/openshell-server/src/compute/mod.rs).
func (d *Docker) SetPhase(ctx context.Context, key string, p Phase) (Sandbox, error) {
	s, err := d.store.named(ctx, key)
	switch {
	case err != nil || s.Phase == p:
		return s, err
	case p == Stopped && s.Phase != Ready && s.Phase != Stopping:
		return s, status.Errorf(codes.FailedPrecondition, "sandbox must be Ready to stop (current phase: %s)", s.Phase)
	case p == Ready && !d.startable(s):
		return s, status.Errorf(codes.FailedPrecondition, "sandbox must be Stopped to start (current phase: %s)", s.Phase)
	case p == Stopped:
		return d.suspend(ctx, s)
	}

	d.fenceOff(context.WithoutCancel(ctx), s)
	if s, err = d.enter(context.WithoutCancel(ctx), s, Starting, "Starting", "Sandbox start requested"); err != nil || forgotten(ctx) {
		return s, err
	}
	if err := d.startContainer(context.WithoutCancel(ctx), s); err != nil {
		return s, err
	}
	return d.store.byID(ctx, s.ID)
}

// startable reports whether a start is allowed: from Stopped, and since 0.1.0 after an end of the main process or of
// the gateway.
func (d *Docker) startable(s Sandbox) bool {
	if s.Phase == Stopped || s.Phase == Starting {
		return true
	}
	return GenerationOf(d.Version) == Timestamps && (s.Phase == Completed || s.Reason == "MainProcessFailed" || s.Reason == "GatewayUnreachable")
}

// forgotten reports whether whoever asked for a stop or a start has gone away just after its phase was noted: then
// nobody carries it out, and the sandbox stays in that phase until somebody asks again (docs/facts/real-gateway.md 3).
func forgotten(ctx context.Context) bool { return ctx.Err() != nil }

// suspend stops a sandbox and makes it Stopped. Whoever asked may go away once that has begun.
func (d *Docker) suspend(ctx context.Context, s Sandbox) (Sandbox, error) {
	asked := ctx
	ctx = context.WithoutCancel(ctx)
	s, err := d.enter(ctx, s, Stopping, "Stopping", "Sandbox stop requested")
	if err != nil || forgotten(asked) {
		return s, err
	}
	if err := d.stopContainer(ctx, s); err != nil {
		return s, status.Errorf(codes.Internal, "stop sandbox failed: %v", err)
	}
	return d.enter(ctx, s, Stopped, "Stopped", "Sandbox compute is stopped")
}

func (d *Docker) stopContainer(ctx context.Context, s Sandbox) error {
	c, err := d.find(ctx, s.ID)
	if err != nil {
		return err
	}
	if c == nil {
		return status.Error(codes.NotFound, "sandbox not found")
	}
	return d.layout.stop(ctx, s, c)
}

// stopLimit is how many seconds a sandbox has to end (stop_timeout_secs).
func stopLimit() *int {
	limit := 10
	return &limit
}

// startContainer starts a container that has ended or never ran; in any other state there is nothing to do, also when
// it is paused.
func (d *Docker) startContainer(ctx context.Context, s Sandbox) error {
	defer d.alone(s.ID)()
	c, err := d.find(ctx, s.ID)
	if err != nil {
		return err
	}
	if c == nil {
		return status.Error(codes.NotFound, "sandbox not found")
	}
	if c.State != container.StateExited && c.State != container.StateCreated {
		return nil
	}
	if err := d.layout.restart(ctx, s, c); err != nil {
		if code := status.Code(err); code == codes.FailedPrecondition {
			return err
		}
		return status.Errorf(codes.Internal, "start sandbox failed: start docker sandbox container failed: %v", err)
	}

	d.follow(s.ID, c.ID)
	return nil
}

// Shutdown ends the gateway gracefully: every sandbox that runs is stopped. Its phase is kept, so that the next Open
// starts it again.
func (d *Docker) Shutdown(ctx context.Context) error {
	d.stop()
	d.work.Wait()
	all, err := d.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !s.Phase.runs() {
			continue
		}
		if err := d.stopContainer(ctx, s); err != nil {
			return fmt.Errorf("stopping %q: %w", s.Name, err)
		}
	}

	return d.store.close()
}

// resume starts what should be running. What has lost its container is in Error from then on.
func (d *Docker) resume(ctx context.Context) error {
	all, err := d.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !s.Phase.runs() && s.Reason != "ContainerRuntimeRestart" {
			continue
		}
		err := d.bringBack(ctx, s)
		switch {
		case status.Code(err) == codes.NotFound:
			_, err = d.enter(ctx, s, Failed, "BackendResourceMissing", "Sandbox compute resource disappeared while the gateway was offline")
		case err != nil:
			_, err = d.enter(ctx, s, Failed, "StartFailed", "Failed to start sandbox during gateway startup: "+err.Error())
		}

		if err != nil {
			return err
		}
	}
	return nil
}

// bringBack starts a sandbox with the gateway. A workload that runs without a companion cannot get another one: it is
// stopped first.
func (d *Docker) bringBack(ctx context.Context, s Sandbox) error {
	if GenerationOf(d.Version) == Timestamps {
		if err := d.stopContainer(ctx, s); err != nil {
			return err
		}
		d.fenceOff(ctx, s)
		if _, err := d.enter(ctx, s, Starting, "Starting", "Gateway started"); err != nil {
			return err
		}
	}
	return d.startContainer(ctx, s)
}

// runs reports whether a sandbox in this phase is meant to have a running container.
func (p Phase) runs() bool {
	switch p {
	case Unspecified, Provisioning, Ready, Starting, Unknown:
		return true
	}
	return false
}

// String is the phase as the gateway prints it.
func (p Phase) String() string {
	names := []string{"Unspecified", "Provisioning", "Ready", "Error", "Deleting", "Unknown", "Stopping", "Stopped", "Starting", "Completed"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Phase(%d)", uint64(p))
}
