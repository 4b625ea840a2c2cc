package restore

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// sound is the manifest of a backup that may be restored, as far as its manifest alone can tell.
func (r Request) sound() (*archive.Manifest, error) {
	if !r.Backup.Whole() {
		return nil, orDamage(r.Backup)
	}
	manifest, err := r.Store.Load(r.Backup, r.Identities)
	if err != nil {
		return nil, err
	}
	return manifest, archive.CheckIndex(manifest)
}

// verify proves the backup before anything is touched. Over content of any kind every entry is read and compared with
// the index. A container's home with nothing in it has nothing to lose: there it is proven that every byte of the
// archive is as it was written (SHA-256), and the entries are proven one by one on their way in, each header before it
// is written.
func (j *restoreJob) verify(ctx context.Context) error {
	if _, ofContainer := j.place.(*containerPlace); ofContainer {
		vacant, err := j.vacant(ctx)
		if err != nil {
			return err
		}
		if vacant && j.manifest.SelfContained() {
			return j.verifyBytes(ctx)
		}
	}
	return j.verifyEntries(ctx)
}

func (j *restoreJob) verifyBytes(ctx context.Context) error {
	r, err := archive.Open(ctx, j.Backup.Dir, j.manifest, archive.OpenOptions{Identities: j.Identities})
	if err != nil {
		return err // also ErrNoIdentity: what cannot be read must not cost what is there
	}
	return errors.Join(store.VerifyDigest(ctx, j.Backup, j.manifest.Archive), r.Close())
}

func (j *restoreJob) verifyEntries(ctx context.Context) error {
	if j.proven {
		return nil
	}
	err := j.Store.Prove(ctx, j.Backup, j.Identities)
	j.proven = err == nil
	return err
}

// errOccupied ends a look at a home at its first entry.
var errOccupied = errors.New("the home has content")

// vacant reports whether the home has nothing in it.
func (j *restoreJob) vacant(ctx context.Context) (bool, error) {
	err := j.each(ctx, j.place, func(name string, _ *tar.Header, _ io.Reader) error {
		if name != "." {
			return errOccupied
		}
		return nil
	})
	if errors.Is(err, errOccupied) {
		return false, nil
	}
	return err == nil, err
}
