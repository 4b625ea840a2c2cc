package engine

import (
	"context"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockedLimit is how many locked entries are named at most.
const lockedLimit = 5

// Locked names, as paths on the engine's host, the entries of the writable layer below the folder that cannot be
// removed or replaced, not even by root: chattr's immutable and append-only flags (STATX_ATTR_IMMUTABLE,
// STATX_ATTR_APPEND, statx(2)). "/" is the whole layer. None are named where the layer cannot be looked into.
func (l Layer) Locked(ctx context.Context, folder string) []string {
	var found []string
	_ = filepath.WalkDir(filepath.Join(l.Dir, folder), func(path string, _ fs.DirEntry, err error) error {
		if ctx.Err() != nil || len(found) == lockedLimit {
			return filepath.SkipAll
		}
		if err == nil && locked(path) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func locked(path string) bool {
	var facts unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &facts)
	return err == nil && facts.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0
}
