package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/engine"
)

// lost is the end of an upgrade whose old container somebody else has removed before it was to be deleted here. There
// is nothing to go on with, and nothing to bring back that its owner did not want gone; what was saved of it stays. As
// long as its gateway has it and no container of it is there, or nobody can say, it is not given up.
func (j *job) lost(ctx context.Context, gone error) Outcome {
	record, found, err := j.listed(ctx)
	if err != nil {
		return j.stuck(ctx, errors.Join(gone, err))
	}
	became := "somebody else has deleted it meanwhile"
	switch {
	case found && record.ID != j.OldID:
		became = fmt.Sprintf("somebody else has put another sandbox in its place meanwhile, with id %s, which is left alone", record.ID)
	case found:
		c, err := j.containerOf(ctx, j.OldID)
		if err != nil {
			return j.stuck(ctx, fmt.Errorf("%w; its gateway lists it still: delete it there if it is not needed", gone))
		}
		became = fmt.Sprintf("its container was made anew meanwhile (%q), and is left alone", c.Name)
	}

	return j.forget(j.outcome(Failed, j.FailedAt, j.Reason+"; "+became+j.saved(ctx)))
}

// saved names what is kept of the old sandbox.
func (j *job) saved(ctx context.Context) string {
	text := ""
	if j.RollbackImage = j.kept(ctx); j.RollbackImage != "" {
		text = fmt.Sprintf("; image %s holds its file system", j.RollbackImage)
	}

	if j.Backup != "" {
		text += fmt.Sprintf("; backup %s holds its home", j.Backup)
	}
	return text
}

// kept is the image that holds the old sandbox: its rollback image, or what a run that was killed while it made that
// has left; "" where there is none.
func (j *job) kept(ctx context.Context) string {
	if j.RollbackImage == "" {
		return ""
	}
	for _, ref := range []string{j.RollbackImage, engine.Unfinished(j.RollbackImage)} {
		if _, err := j.Engine.ImageID(ctx, ref); !errors.Is(err, fs.ErrNotExist) {
			return ref
		}
	}
	return ""
}
