package sqlitefile

import (
	"fmt"
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
