//go:build !linux

package gateway

import (
	"syscall"
	"time"
)

// changed is when an inode was last put in place, written or renamed: a package's file keeps an old modification time.
func changed(stat *syscall.Stat_t) time.Time {
	return time.Unix(int64(stat.Ctimespec.Sec), int64(stat.Ctimespec.Nsec))
}
