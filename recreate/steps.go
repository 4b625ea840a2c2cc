package recreate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sandkeeper/backup/restore"
	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

type step struct {
	name Step
	work func(*job, context.Context) error
}

// way are the steps that are left. Each can be made again after a crash.
func (j *job) way() []step {
	all := []step{
		{StepReleasing, (*job).letGo},
		{StepCreating, (*job).create},
		{StepWaiting, (*job).wait},
		{StepRestoring, (*job).restore},
		{StepStarting, (*job).leave},
	}
	for i, s := range all {
		if s.name == j.Step {
			return all[i:]
		}
	}
	return all
}

// letGo lets extensions release what they hold for the sandbox that is gone.
func (j *job) letGo(ctx context.Context) error {
	j.empty = true
	if j.Chain == nil {
		return nil
	}
	for _, old := range j.gone() {
		err := j.Chain.Gone(ctx, old)
		if released, ok := errors.AsType[*lifecycle.ReleaseError](err); ok {
			j.outcome.Warnings = append(j.outcome.Warnings, released.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// create asks the gateway, unless an earlier call has. Ctrl-C does not cut it short: the sandbox would come about all
// the same.
func (j *job) create(ctx context.Context) error {
	if j.NewID != "" {
		return nil
	}
	j.empty = false
	record, err := j.driver.CreateSandbox(context.WithoutCancel(ctx), j.Request)
	if record.ID == "" {
		return j.notCreated(context.WithoutCancel(ctx), err)
	}
	if err != nil {
		j.outcome.Warnings = append(j.outcome.Warnings, fmt.Sprintf("it was created, and then: %v", err))
	}
	j.NewID, j.outcome.ID = record.ID, record.ID
	return j.record.Put(j.Entry)
}

// notCreated looks whether nothing was made; then the record may go.
func (j *job) notCreated(ctx context.Context, err error) error {
	if err == nil {
		return fmt.Errorf("gateway %q created sandbox %q and gave it no id", j.Gateway, j.Address())
	}
	_, found, failure := j.listed(ctx)
	j.empty = failure == nil && !found
	return err
}

// wait waits until the sandbox is Ready and stays so. One of this call that does not come up is deleted again: it holds
// nothing yet. In one that an earlier call has made, somebody may have worked since.
func (j *job) wait(ctx context.Context) error {
	err := j.patience().Await(ctx, j.condition, "Error")
	if err == nil {
		err = j.patience().Stays(ctx, j.condition)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if j.earlier {
		return fmt.Errorf("%w; a run that was cut off had made it, so somebody may have worked in it since, and it was not deleted. "+
			"When nothing in it is needed: %s, then run this again", err, j.Sandbox().Invocation("delete"))
	}
	return j.withdraw(context.WithoutCancel(ctx), err)
}

// withdraw deletes what was made.
func (j *job) withdraw(ctx context.Context, why error) error {
	err := j.driver.DeleteSandbox(ctx, lifecycle.Reference{ID: j.NewID, Name: j.Name, Gateway: j.Gateway})
	if released, ok := errors.AsType[*lifecycle.ReleaseError](err); ok {
		j.outcome.Warnings = append(j.outcome.Warnings, released.Error())
		err = nil
	}
	if err != nil {
		return errors.Join(why, fmt.Errorf("it was made, holds nothing yet, and could not be deleted again: %w", err))
	}
	j.NewID, j.outcome.ID, j.empty = "", "", true
	return fmt.Errorf("%w; what was made was deleted again, and the backup is as it was", why)
}

// restore stops the sandbox through its gateway and puts its home back. Where the gateway cannot, the restore stops the
// container and starts it again.
func (j *job) restore(ctx context.Context) error {
	found, err := j.Locate(ctx, lifecycle.Record{ID: j.NewID, Name: j.Name, Gateway: j.Gateway}, j.at())
	if err != nil {
		return err
	}
	if found.Sandbox.Container != nil {
		if err := j.stop(ctx, found); err != nil {
			return err
		}
	}

	fill := j.fill
	if fill == nil {
		fill = restore.Restore
	}
	j.outcome.Home, err = fill(ctx, restore.Request{
		Store: j.Store, Backup: j.Order.Backup, Identities: j.Identities, Target: found.Sandbox, Engine: found.Engine, CLI: found.CLI,
		Scope: restore.ScopeFull, Consent: true, Stall: j.Stall, Progress: j.Moving, Journal: filepath.Join(j.State, "restoring"),
	})
	if err == nil && !j.outcome.Home.Done {
		err = fmt.Errorf("backup %s was not restored to the end", j.Order.Backup.ID)
	}
	return err
}

// stop waits for the stop also after Ctrl-C: a stop that was asked for comes about, and a start before that starts
// nothing.
func (j *job) stop(ctx context.Context, found Found) error {
	err := j.Switch.StopSandbox(context.WithoutCancel(ctx), found.Sandbox)
	if driver.EngineMay(err) {
		err = nil
	}
	return errors.Join(err, context.Cause(ctx))
}

// leave brings the sandbox to the phase that it is to have.
func (j *job) leave(ctx context.Context) error {
	found, err := j.Locate(ctx, lifecycle.Record{ID: j.NewID, Name: j.Name, Gateway: j.Gateway}, j.at())
	if err != nil {
		return err
	}
	if !j.Running {
		return j.leaveStopped(ctx, found)
	}
	err = j.Switch.StartSandbox(ctx, found.Sandbox)
	if err != nil && !driver.EngineMay(err) {
		return err
	}
	if err := j.patience().Await(ctx, j.condition, ""); err != nil {
		return err
	}
	return j.patience().Stays(ctx, j.condition)
}

func (j *job) leaveStopped(ctx context.Context, found Found) error {
	err := j.Switch.StopSandbox(context.WithoutCancel(ctx), found.Sandbox)
	if driver.EngineMay(err) && found.Engine != nil && !found.Sandbox.Container.Paired() {
		err = found.Engine.Stop(context.WithoutCancel(ctx), found.Sandbox.Container.ID)
	}
	return errors.Join(err, context.Cause(ctx))
}

// condition looks once: nil when what was made is Ready.
func (j *job) condition(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return err
	case !found || record.ID != j.NewID:
		return &driver.NotReadyError{Name: j.Address(), Detail: "its gateway does not list it"}
	case !openshell.PhaseReady(record.Phase):
		return &driver.NotReadyError{Name: j.Address(), Phase: record.Phase, Detail: record.Reason}
	}
	return nil
}
