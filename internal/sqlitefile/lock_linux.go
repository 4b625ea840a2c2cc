package sqlitefile

import "golang.org/x/sys/unix"

// Locks of the open file, not of the process: they conflict with SQLite's own as those of another process would, and they stay when
// another part of this program opens the same database, looks, and closes it (fcntl(2), "Open file description locks").
const (
	putLock = unix.F_OFD_SETLK
	getLock = unix.F_OFD_GETLK
)
