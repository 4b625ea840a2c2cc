package store

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	scratchPrefix = ".sandkeeper-export-"
	scratchOwner  = "owner"     // in a scratch folder: locked as long as its run lives
	scratchYoung  = time.Minute // a folder that is so young may lack its owner's file because its run has just made it
)

// makeScratch makes a folder below parent in which a backup is put together, and removes those that killed runs have
// left there. done removes the folder.
func makeScratch(parent string) (dir string, done func() error, err error) {
	sweepScratch(parent)
	if dir, err = os.MkdirTemp(parent, scratchPrefix); err != nil {
		return "", nil, err
	}
	owner := flock.New(filepath.Join(dir, scratchOwner), flock.SetPermissions(0o600))
	done = func() error { return errors.Join(os.RemoveAll(dir), owner.Close()) }
	if _, err := owner.TryLock(); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return dir, done, nil
}

// sweepScratch removes what killed runs have left. The kernel lets go of a lock with the process that held it; a folder
// that cannot be removed is no reason not to export.
func sweepScratch(parent string) {
	if parent == "" {
		parent = os.TempDir()
	}
	left, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		path := filepath.Join(dir, scratchOwner)
		if _, err := os.Lstat(path); err != nil && time.Since(info.ModTime()) < scratchYoung {
			continue
		}
		owner := flock.New(path, flock.SetPermissions(0o600))
		if free, err := owner.TryLock(); err != nil || !free {
			continue
		}
		_ = errors.Join(os.RemoveAll(dir), owner.Close())
	}
}
