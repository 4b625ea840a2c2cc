package gateway

import (
	"syscall"
	"time"
)

// changed is when an inode was last put in place, written or renamed: a package's file keeps an old modification time.
func changed(stat *syscall.Stat_t) time.Time {
	return time.Unix(int64(stat.Ctim.Sec), int64(stat.Ctim.Nsec)) //nolint:unconvert // narrower on 32-bit systems
}
