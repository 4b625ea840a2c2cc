//go:build !linux

package gateway

import (
	"context"
	"os"
	"time"
)

// Image is Processes.
func (hostProcesses) Image(context.Context, int) (*os.File, string, error) {
	return nil, "", ErrNoImage
}

// threadArgs is nothing here: only Linux shows threads as folders.
func threadArgs(int) []string { return nil }

func started(ctx context.Context, pid int) (at time.Time, born uint64, err error) {
	ms, err := entry(pid).CreateTimeWithContext(ctx)
	return time.UnixMilli(ms), uint64(ms), err
}
