package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
)

// prove waits for the old sandbox to be back, and compares its home with the backup. Where that is not in the image
// (podman keeps it in a volume, which goes with the sandbox), the backup is restored.
func (j *job) prove(ctx context.Context) error {
	// A run that was killed while it compared has left it stopped.
	if c, err := j.newContainer(ctx); err == nil && c.State == "exited" {
		if err := j.rouse(ctx, j.NewID, c); err != nil {
			return err
		}
	}

	if err := j.awaitReady(ctx); err != nil {
		return err
	}
	if j.Backup != "" {
		if err := j.proveContent(ctx); err != nil {
			return err
		}
	}
	return j.leaveAsFound(ctx)
}

func (j *job) proveContent(ctx context.Context) error {
	c, err := j.stopped(ctx)
	if err != nil {
		return err
	}
	mounted := slices.ContainsFunc(c.Mounts, func(m engine.Mount) bool { return m.Destination == "/sandbox" })
	inImage := j.RollbackImage != "" && !mounted
	found, err := j.Content.Compare(ctx, j.sandbox(j.NewID, c), j.Backup, false)
	if err != nil && inImage && unusable(err) {
		j.warn(fmt.Sprintf("its home is as its rollback image has it; it could not be compared with its backup %s: %v", j.Backup, err))
		return nil
	}
	if err != nil {
		return err
	}
	// Credentials that the backup has without their values are in the image with them.
	found.Changed = slices.DeleteFunc(found.Changed, func(path string) bool { return slices.Contains(j.LeftOut, path) })
	if len(found.Missing)+len(found.Changed) == 0 {
		return nil
	}
	if j.Way == ByNemoClaw && inImage {
		// It ran between its backup and the making of the image: the image is the newer one.
		j.warn(fmt.Sprintf("it differs from its backup %s, which is older than its rollback image: %s", j.Backup, found))
		return nil
	}

	if err := j.restore(ctx); err != nil {
		return err
	}
	return j.compare(ctx)
}

// unusable reports that it is the backup which is at fault, not the sandbox.
func unusable(err error) bool {
	damaged, _ := errors.AsType[*archive.DamageError](err)
	missing, _ := errors.AsType[*store.NotFoundError](err)
	return damaged != nil || missing != nil
}
