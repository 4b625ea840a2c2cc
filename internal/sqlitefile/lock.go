package sqlitefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// The bytes by whose locks SQLite's processes agree (https://www.sqlite.org/lockingv3.html, os_unix.c).
const (
	pendingByte  = 0x40000000
	reservedByte = pendingByte + 1
	sharedFirst  = pendingByte + 2
	sharedSize   = 510
)

// checkpointByte is the lock, in the file that processes with a log share, of who puts the log into the database: WAL_CKPT_LOCK
// (https://www.sqlite.org/walformat.html, "WAL locks"; os_unix.c, UNIX_SHM_BASE).
const checkpointByte = 121

// holdCheckpoints keeps the log of the database at path from being put into its file, without waiting for who does that now. Where
// there is no shared file nobody has the database open with a log.
func holdCheckpoints(path string) (release func(), err error) {
	f, err := openPlain(path + "-shm")
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := setLock(f, syscall.F_RDLCK, checkpointByte, 1); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("its log is being put into it (%w): %w", err, ErrBusy)
	}
	return func() { _ = f.Close() }, nil
}

// lockShared takes a reader's lock on the database f, without waiting: as long as it is held no writer changes the file.
func lockShared(f *os.File) (unlock func(), err error) {
	if err := setLock(f, syscall.F_RDLCK, pendingByte, 1); err != nil {
		return nil, fmt.Errorf("a writer waits to write (%w): %w", err, ErrBusy)
	}
	err = setLock(f, syscall.F_RDLCK, sharedFirst, sharedSize)
	_ = setLock(f, syscall.F_UNLCK, pendingByte, 1) // closing the file does it too
	if err != nil {
		return nil, fmt.Errorf("a writer writes (%w): %w", err, ErrBusy)
	}
	return func() { _ = setLock(f, syscall.F_UNLCK, sharedFirst, sharedSize) }, nil
}

// reserved reports whether a writer is preparing to write. A journal that no such writer holds was left by a crash; only SQLite
// itself may roll that back.
func reserved(f *os.File) bool {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: reservedByte, Len: 1}
	return syscall.FcntlFlock(f.Fd(), getLock, &lock) == nil && lock.Type != syscall.F_UNLCK
}

func setLock(f *os.File, kind int16, start, length int64) error {
	return syscall.FcntlFlock(f.Fd(), putLock, &syscall.Flock_t{Type: kind, Start: start, Len: length})
}
