//go:build !linux

package gateway

import (
	"context"
	"errors"
)

// Holds is Processes.
func (hostProcesses) Holds(context.Context, int) Holdings {
	return Holdings{Err: errors.New("this system does not show what a process has open")}
}
