package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// handMade looks at what somebody has made of a sandbox by hand, after its upgrade was left with its deletion asked
// for. Another sandbox in its place, which this upgrade did not make, ends the upgrade: there is nothing to go on with,
// and nothing of it is touched. What has only to be made again is said. nil: the upgrade goes on.
func (j *job) handMade(ctx context.Context) *Outcome {
	if !j.resumed || !j.DeleteRequested || j.reached(StepFinishing, j.Step) {
		return nil
	}
	record, found, err := j.listed(ctx)
	if err != nil {
		return nil // whoever needs the list asks again, and says what is wrong
	}
	if found && !j.mayBeOurs(ctx, record.ID) {
		o := j.replacedByHand(ctx, record.ID)
		return &o
	}
	if !slices.Contains([]Step{StepRecreated, StepProving}, j.Step) {
		return nil
	}
	switch {
	case !found:
		j.warn("somebody has deleted meanwhile what this upgrade had brought back: it is made again")
		j.NewID, j.Step = "", StepRecreating
	case record.Phase == "Error": // no start leaves it (docs/facts/openshell.md 2.3)
		j.Step = StepRollingBack
	}

	return nil
}

// mayBeOurs reports whether this upgrade may have made the listed sandbox, or it is the old one. A run that was killed
// while it created did not learn the id; what comes back runs from the image of the old one.
func (j *job) mayBeOurs(ctx context.Context, id string) bool {
	switch {
	case id == j.OldID || id == j.NewID:
		return true
	case j.NewID != "":
		return false
	case j.Step == StepRecreating:
		return j.runsOld(ctx, id)
	case j.Step == StepRollingBack:
		return j.ours(id)
	}
	return j.Step == StepCreating || j.Step == StepRebuilding
}

// runsOld reports whether a sandbox runs from the rollback image, or from the image that the old one came from, as far
// as can be seen.
func (j *job) runsOld(ctx context.Context, id string) bool {
	c, err := j.containerOf(ctx, id)
	if err != nil {
		return true // what cannot be seen is not called another's
	}
	kept, err := j.Engine.ImageID(ctx, j.RollbackImage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return c.ImageID == kept || c.ImageID == j.OldImageID
}

// replacedByHand ends an upgrade whose sandbox somebody has made anew.
func (j *job) replacedByHand(ctx context.Context, id string) Outcome {
	at, reason := j.Step, ""
	if j.RollingBack() {
		at, reason = j.FailedAt, j.Reason+"; "
	}
	reason += fmt.Sprintf("somebody else has put another sandbox in its place meanwhile, with id %s, which is left alone; this upgrade has ended", id)
	o := j.outcome(Failed, at, reason+j.saved(ctx))
	if o.RollbackImage = j.RollbackImage; j.Backup != "" {
		o.Reason += fmt.Sprintf("; `sandkeeper restore %s --backup %s` puts that home into the sandbox that is there", j.Address(), j.Backup+j.StoreFlags)
	}
	return j.forget(o)
}

// madeAgain reports whether the new sandbox, which this upgrade had made and seen, was deleted by somebody since.
func (j *job) madeAgain(ctx context.Context) (bool, error) {
	if !j.resumed || j.Way != ByRecipe || j.NewID == "" || !j.reached(StepCreated, j.Step) || j.reached(StepFinishing, j.Step) {
		return false, nil
	}
	_, found, err := j.listed(ctx)
	if err != nil || found {
		return false, err
	}
	j.warn("somebody has deleted the new sandbox meanwhile: it is made again")
	j.NewID = ""
	return true, nil
}
