//go:build !linux

package gateway

import (
	"context"
	"os"
)

// Image is Processes.
func (hostProcesses) Image(context.Context, int) (*os.File, string, error) {
	return nil, "", ErrNoImage
}

// threadArgs is nothing here: only Linux shows threads as folders.
func threadArgs(int) []string { return nil }
