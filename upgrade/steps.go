package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/upgrade/classify"
)

// move is one stretch of the way: a step that is entered before its work, and one, or none, that says that the work is
// done. Work looks at what is there first and does only what is missing, so that any move can be made again after a
// crash.
type move struct {
	doing, done Step
	work        func(*job, context.Context) error
}

// way are the moves from an old sandbox to a new one.
func (e *Entry) way() []move {
	begin := []move{{doing: StepPreconditions, work: (*job).lookAgain}}
	saving := []move{
		{StepBackingUp, StepBackedUp, (*job).save},
		{StepKeepingImage, StepImageKept, (*job).keepImage},
	}
	proving := []move{
		{StepWaiting, StepReady, (*job).waitReady},
		{StepSettling, StepSettled, (*job).settle},
	}
	finish := move{StepFinishing, StepDone, (*job).finish}
	if e.Way == ByNemoClaw {
		return slices.Concat(begin, saving, []move{{StepRebuilding, StepRebuilt, (*job).rebuild}}, proving,
			[]move{{StepComparing, StepCompared, (*job).compareState}, {StepStarting, StepStarted, (*job).leaveAsFound}, finish})
	}
	if e.Pull != "" {
		begin = append(begin, move{StepPulling, StepPulled, (*job).pull})
	}
	if e.Rehearse != NoRehearsal {
		begin = append(begin, move{StepRehearsing, StepRehearsed, (*job).rehearse})
	}
	return slices.Concat(begin, []move{{StepStopping, StepStopped, (*job).stopOld}}, saving,
		[]move{{StepDeleting, StepDeleted, (*job).deleteOld}, {StepCreating, StepCreated, (*job).create}}, proving,
		[]move{{StepRestoring, StepRestored, (*job).restore}, {StepComparing, StepCompared, (*job).compare}},
		[]move{{StepStarting, StepStarted, (*job).leaveAsFound}, finish})
}

// from is the first move that is not known to be done.
func from(moves []move, step Step) []move {
	for i, m := range moves {
		switch step {
		case m.doing:
			return moves[i:]
		case m.done:
			return moves[i+1:]
		}
	}
	return moves
}

// advance makes the moves in turn, and says at which step it ended.
func (j *job) advance(ctx context.Context, moves []move) (Step, error) {
	for _, m := range moves {
		if ctx.Err() != nil {
			return j.Step, context.Cause(ctx)
		}
		if err := j.enter(m.doing, ""); err != nil {
			return m.doing, err
		}
		if err := m.work(j, ctx); err != nil {
			return m.doing, err
		}
		if m.done == "" {
			continue
		}
		if err := j.enter(m.done, ""); err != nil {
			return m.done, err
		}
	}
	return StepDone, nil
}

// lookAgain makes sure that the sandbox is still the planned one.
func (j *job) lookAgain(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	if !found || record.ID != j.OldID {
		return fmt.Errorf("sandbox %q is no longer the one that was planned for (id %s)", j.Address(), j.OldID)
	}
	c, there, err := j.oldContainer(ctx)
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("container %q of sandbox %q is gone", j.ContainerName, j.Address())
	case c.Paused():
		return fmt.Errorf("container %q is paused; run `%s unpause %s` first", c.Name, c.Program(), c.Name)
	}

	if c.Running() {
		j.WasReady = openshell.PhaseReady(record.Phase)
	}
	if err := j.imagePresent(ctx); err != nil {
		return err
	}
	return j.foresee(ctx)
}

// stopOld stops the old sandbox: what it would write after its backup would be lost.
func (j *job) stopOld(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	if err != nil || !there || !c.Running() {
		return err
	}
	return j.halt(ctx, j.OldID, c)
}

func (j *job) save(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("container %q of sandbox %q is gone", j.ContainerName, j.Address())
	}
	saved, err := j.Content.Save(ctx, j.sandbox(j.OldID, c))
	if err != nil {
		return err
	}
	j.Backup, j.SavedSince = saved.ID, c.Started
	return nil
}

// untouched makes sure that the old sandbox was not started since its backup began: what it has written would go with
// it.
func (j *job) untouched(ctx context.Context) error {
	c, there, err := j.oldContainer(ctx)
	if err != nil || !there {
		return err
	}
	if c.Running() || c.Paused() || !c.Started.Equal(j.SavedSince) {
		return fmt.Errorf("container %q was started again while it was being saved, so backup %s may not hold all that is in it", c.Name, j.Backup)
	}
	return nil
}

// keepImage makes the old container an image. The labels by which drivers find their sandboxes are blank in it. It is
// waited for also after Ctrl-C: the engine makes the image either way, and a late image would stay for good.
func (j *job) keepImage(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := j.Engine.RemoveImage(ctx, j.RollbackImage); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of a run that was killed; it would lose its name, and stay
	}
	if _, err := j.Engine.Commit(ctx, j.OldContainer, j.RollbackImage, engine.Keep{Labels: map[string]string{classify.OriginLabel: j.Image}}); err != nil {
		return err
	}
	_, err := j.Engine.ImageID(ctx, j.RollbackImage)
	return err
}
