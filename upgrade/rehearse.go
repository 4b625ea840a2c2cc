package upgrade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/upgrade/classify"
)

// RehearsalKind is how an upgrade is rehearsed before its sandbox is touched.
type RehearsalKind string

// The kinds.
const (
	NoRehearsal   RehearsalKind = ""
	IdleRehearsal RehearsalKind = "idle" // without the agent's command, values and providers: no second agent with the same tokens
	FullRehearsal RehearsalKind = "full" // with all of them
)

// Rehearsal is what a rehearsal has made, or was about to make, and has to remove.
type Rehearsal struct {
	Sandbox string `json:"sandbox"`         // name of the throw-away sandbox
	Image   string `json:"image,omitempty"` // throw-away image of the old container
}

// rehearse makes throw-away sandboxes by the recipe, as the new one and the one of a way back will be made, so that
// what the gateway refuses is found while the old sandbox runs: first from the new image, then from an image of the old
// container.
func (j *job) rehearse(ctx context.Context) error {
	if j.Rehearsed {
		return nil
	}
	if err := j.play(ctx, j.Image, "the new image"); err != nil {
		return err
	}
	stage := j.stageName()
	j.Rehearsal = &Rehearsal{Sandbox: stage, Image: rollbackPrefix + stage + ":" + j.Run}
	if err := j.Journal.Enter(j.Entry, j.Step); err != nil {
		return err
	}
	if err := j.commitEmpty(ctx, j.Rehearsal.Image); err != nil {
		return errors.Join(fmt.Errorf("making an image of container %q, as the way back would: %w", j.ContainerName, err), j.strike(ctx))
	}
	if err := j.play(ctx, j.Rehearsal.Image, "a rollback image"); err != nil {
		return err
	}
	j.Rehearsed = true
	return nil
}

// commitEmpty makes the image that a rollback image will be, with an empty home: the agent's tokens are not to be in a
// second sandbox.
func (j *job) commitEmpty(ctx context.Context, ref string) error {
	keep := engine.Keep{Labels: map[string]string{classify.OriginLabel: j.Image}}
	if j.Rehearse != FullRehearsal {
		keep.Emptied = j.Request.Home
	}
	_, err := j.Engine.Commit(context.WithoutCancel(ctx), j.OldContainer, ref, keep)
	return err
}

// play makes one throw-away sandbox from an image, watches it come up, and removes it.
func (j *job) play(ctx context.Context, image, what string) error {
	if j.Rehearsal == nil {
		j.Rehearsal = &Rehearsal{Sandbox: j.stageName()}
	}
	if err := j.Journal.Enter(j.Entry, j.Step); err != nil {
		return err
	}
	j.tell(j.Address(), j.Step, "a throw-away sandbox from "+what)
	stage, err := j.stage()
	if err == nil {
		err = stage.comesUp(ctx, image)
	}
	if err != nil {
		err = fmt.Errorf("a throw-away sandbox by its recipe, from %s, does not come up: %w", what, err)
	}
	return errors.Join(err, j.strike(ctx))
}

func (j *job) comesUp(ctx context.Context, image string) error {
	if err := j.createFrom(ctx, image); err != nil {
		return err
	}
	if err := j.waitReady(ctx); err != nil {
		return err
	}
	return j.settle(ctx)
}

// stageName is the throw-away sandbox's: of 17 letters, for since 0.1.0 a name has 19 at most, and another one for each
// run.
func (j *job) stageName() string {
	sum := sha256.Sum256([]byte(j.key() + "\x00" + j.Run))
	return fmt.Sprintf("rehearse-%x", sum[:4])
}

// stage is the throw-away sandbox as a job of its own, which has no journal.
func (j *job) stage() (*job, error) {
	request, err := driver.Rehearsal(j.Request, j.Rehearsal.Sandbox, j.Rehearse == FullRehearsal)
	e := &Entry{Run: j.Run, Name: j.Rehearsal.Sandbox, Gateway: j.Gateway, Workspace: j.Workspace, Way: ByRecipe, Request: request}
	return &job{Upgrader: j.Upgrader, Entry: e, driver: j.driver}, err
}

// strike removes what a rehearsal has made, in this run or in a killed one, also after Ctrl-C.
func (j *job) strike(ctx context.Context) error {
	if j.Rehearsal == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	stage, err := j.stage()
	if err != nil {
		return err
	}
	record, found, err := stage.listed(ctx)
	if err == nil && found {
		err = stage.delete(ctx, record.ID)
	}
	if err != nil {
		return fmt.Errorf("its throw-away sandbox %q could not be removed: %w", stage.Name, err)
	}
	if image := j.Rehearsal.Image; image != "" {
		if err := j.Engine.RemoveImage(ctx, image); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("its throw-away image %s could not be removed: %w", image, err)
		}
	}

	j.warnings(stage.Warnings)
	j.Rehearsal = nil
	return j.Journal.Enter(j.Entry, j.Step)
}

func (j *job) warnings(all []string) {
	for _, text := range all {
		j.warn("its rehearsal: " + text)
	}
}
