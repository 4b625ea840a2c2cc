//go:build !linux

package sqlitefile

import "syscall"

// Locks of the process: they end as soon as any part of it closes the same database.
const (
	putLock = syscall.F_SETLK
	getLock = syscall.F_GETLK
)
