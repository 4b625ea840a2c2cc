package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
)

// back are the moves from whatever an upgrade left to the old sandbox.
func back() []move {
	return []move{
		{doing: StepRollingBack, work: (*job).clear},
		{StepRecreating, StepRecreated, (*job).recreate},
		{StepProving, StepRolledBack, (*job).prove},
	}
}

// destroys is the step of e's way that ends the old sandbox.
func (e *Entry) destroys() Step {
	if e.Way == ByNemoClaw {
		return StepRebuilding
	}
	return StepDeleting
}

// reached reports whether e's way had come as far as step when it was at at.
func (e *Entry) reached(step, at Step) bool {
	order := []Step{StepPlanned}
	for _, m := range e.way() {
		order = append(order, m.doing, m.done)
	}
	return slices.Index(order, at) >= slices.Index(order, step)
}

// undo brings the old sandbox back after the upgrade failed at a step, or was given up there. It goes on also when ctx
// has ended.
func (j *job) undo(ctx context.Context, at Step, cause error) Outcome {
	ctx, cancel := text.Within(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	if !j.RollingBack() {
		j.FailedAt, j.Reason = at, inOneLine(cause)
	}
	whole, err := j.stillWhole(ctx)
	switch {
	case err != nil:
		return j.stuck(ctx, err)
	case whole:
		return j.withdraw(ctx)
	}

	for _, m := range from(back(), j.Step) {
		j.enterAnyway(m.doing, j.Reason)
		if err := m.work(j, ctx); err != nil {
			return j.stuck(ctx, err)
		}
		if m.done != "" {
			j.enterAnyway(m.done, "")
		}
	}

	return j.forget(j.outcome(RolledBack, j.FailedAt, j.Reason))
}

// enterAnyway goes on when the journal cannot be written: the sandbox comes first, and what is done can be seen by
// looking.
func (j *job) enterAnyway(step Step, detail string) {
	if err := j.enter(step, detail); err != nil {
		j.warn(err.Error())
		j.tell(j.Address(), step, detail)
	}
}

// clearLimit is how long a gateway is asked again to delete what came in the place of the old sandbox: its engine may
// be at work on the container still.
const clearLimit = 10 * time.Second

// errForeign is a sandbox that this upgrade did not make.
var errForeign = errors.New("it is left alone")

// clear removes what came in the place of the old sandbox, and nothing else.
func (j *job) clear(ctx context.Context) error {
	until := time.Now().Add(min(clearLimit, j.patience().ReadyLimit()))
	for {
		err := j.clearOnce(ctx)
		if err == nil || errors.Is(err, errForeign) || time.Now().After(until) {
			return err
		}
		if err := j.patience().Pause(ctx); err != nil {
			return err
		}
	}
}

func (j *job) clearOnce(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	if found && !j.ours(record.ID) {
		return fmt.Errorf("a sandbox %q with id %s is there that this upgrade did not make: %w; delete it first if it is not needed", j.Address(), record.ID, errForeign)
	}
	if found {
		if err := j.keepNew(ctx, record.ID); err != nil {
			return err
		}
		if err := j.delete(ctx, record.ID); err != nil {
			return err
		}
		if _, found, err = j.listed(ctx); err != nil || found {
			return errors.Join(err, stillListed(j.Address(), found))
		}
	}

	j.NewID = ""
	return j.awaitGone(ctx)
}

// ours reports whether this upgrade has made the sandbox of that id, or it is the old one. A run that was killed while
// it created did not learn the id.
func (j *job) ours(id string) bool {
	unknown := j.NewID == "" && (j.FailedAt == StepCreating || j.FailedAt == StepRebuilding)
	return unknown || id == j.OldID || id == j.NewID
}

// recreate makes the old sandbox again: from its rollback image, or, if somebody has removed that, from the image it
// once came from, and its backup.
func (j *job) recreate(ctx context.Context) error {
	image := j.RollbackImage
	_, err := j.Engine.ImageID(ctx, image)
	if errors.Is(err, fs.ErrNotExist) {
		if _, second := j.Engine.ImageID(ctx, j.OldImageID); second != nil {
			return fmt.Errorf("neither its rollback image nor the image it came from is there: %w; %w", err, second)
		}
		j.warn(fmt.Sprintf("its rollback image %s is gone: it is made from %s and its backup", image, j.OldImageID))
		image, j.RollbackImage, err = j.OldImageID, "", nil
	}

	if err != nil {
		return err
	}
	if err := j.notAnother(ctx, image); err != nil {
		return err
	}
	return j.bringHome(ctx, image)
}

// notAnother refuses to take for the old sandbox what runs from another image: a creation that was given up and came
// about late, or what somebody has made meanwhile.
func (j *job) notAnother(ctx context.Context, image string) error {
	record, found, err := j.listed(ctx)
	if err != nil || !found {
		return err
	}
	c, err := j.containerOf(ctx, record.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	wanted, second := j.Engine.ImageID(ctx, image)
	if err := errors.Join(err, second); err != nil || c.ImageID == wanted {
		return err
	}
	return fmt.Errorf("a sandbox %q with id %s is there that does not run from %s: %w; delete it first if it is not needed", j.Address(), record.ID, image, errForeign)
}

// bringHome creates the old sandbox again, with its extensions where they let it. One that refuses now must not keep
// the sandbox from existing: it is then made without them, and that is said.
func (j *job) bringHome(ctx context.Context, image string) error {
	err := j.createFrom(ctx, image)
	refused, ok := errors.AsType[*lifecycle.PhaseError](err)
	if !ok || refused.Phase != lifecycle.BeforeCreate {
		return err
	}
	chained := j.driver
	defer func() { j.driver = chained }()
	if j.driver, err = j.Driver(ctx, j.place()); err != nil {
		return errors.Join(refused, err)
	}
	if err := j.createFrom(ctx, image); err != nil {
		return errors.Join(refused, err)
	}
	j.warn(fmt.Sprintf("it was brought back without its extensions, because one refused: %v", refused))
	return nil
}

// forget strikes a finished upgrade off the journal.
func (j *job) forget(o Outcome) Outcome {
	if err := j.Content.Sweep(j.Entry); err != nil {
		o.Warnings = append(o.Warnings, fmt.Sprintf("what its restore has left could not be removed: %v", err))
	}
	if err := j.Journal.Forget(j.Entry); err != nil {
		o.Warnings = append(o.Warnings, fmt.Sprintf("it is finished, but the journal still names it: %v; `%s` strikes it off", err, j.invocation("--resume")))
	}
	return o
}

// stuck is the outcome of an upgrade that could neither be finished nor undone. It says what is where.
func (j *job) stuck(ctx context.Context, err error) Outcome {
	reason := inOneLine(err)
	switch {
	case strings.Contains(j.Reason, reason): // the same again
		reason = j.Reason
	case j.RollingBack():
		reason = fmt.Sprintf("%s; then, on the way back at %s: %s", j.Reason, j.Step, reason)
	case j.Reason != "":
		reason = fmt.Sprintf("%s; then, on the way back: %s", j.Reason, reason)
	}

	stopped := j.Step
	if err := j.Journal.Enter(j.Entry, stopped); err != nil {
		j.warn(err.Error())
	}
	o := j.outcome(Failed, stopped, reason+". "+j.where(ctx, reason))
	o.Unfinished = true
	return o
}

// inOneLine joins errors that errors.Join has put below each other.
func inOneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// where says what of the sandbox can be seen now, and which commands go on; said is what need not be said again.
func (j *job) where(ctx context.Context, said string) string {
	text := "Its gateway does not list it"
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		text = "Whether its gateway has it is not known"
		if why := inOneLine(err); !strings.Contains(said, why) {
			text += " (" + why + ")"
		}
	case found:
		text = fmt.Sprintf("Its gateway lists it as %s, in phase %q", record.ID, record.Phase)
	}

	for _, ref := range []string{j.RollbackImage, engine.Unfinished(j.RollbackImage)} {
		if _, err := j.Engine.ImageID(ctx, ref); err == nil {
			text += fmt.Sprintf("; image %s holds its file system", ref)
		}
	}
	if j.Backup != "" {
		text += fmt.Sprintf("; backup %s holds its home", j.Backup)
	}
	ways := j.ways()
	return text + ". T" + ways[1:]
}

func (e *Entry) invocation(flag string) string {
	return fmt.Sprintf("sandkeeper upgrade-sandboxes %s --only %s", flag, e.Address())
}
