package journal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sandkeeper/internal/size"
)

// FullError says that there is no room for a record. The disk is that of the state folder, which is often another one
// than that of the backups.
type FullError struct {
	Dir  string
	Free int64 // bytes; -1 where that is not known
	Err  error
}

// Error names the folder.
func (e *FullError) Error() string {
	if e.Free < 0 {
		return fmt.Sprintf("%v: the disk of %s is full", e.Err, e.Dir)
	}
	return fmt.Sprintf("%v: %s free in %s", e.Err, size.Text(e.Free), e.Dir)
}

// Unwrap gives the system's own error.
func (e *FullError) Unwrap() error { return e.Err }

// orFull completes the error of a full disk.
func orFull(err error, dir string) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	full := &FullError{Dir: dir, Free: -1, Err: err}
	var room unix.Statfs_t
	if unix.Statfs(dir, &room) == nil {
		full.Free = int64(min(room.Bavail*uint64(room.Bsize), 1<<62))
	}
	return full
}
