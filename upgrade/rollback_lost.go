package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if _, err := j.Engine.ImageID(ctx, j.RollbackImage); errors.Is(err, fs.ErrNotExist) {
		j.RollbackImage = ""
	} else {
		text = fmt.Sprintf("; image %s holds its file system", j.RollbackImage)
	}

	if j.Backup != "" {
		text += fmt.Sprintf("; backup %s holds its home", j.Backup)
	}
	return text
}
