//go:build !linux

package home

import (
	"context"
	"fmt"
)

// Direct is not possible: containers of other systems run on a Linux of their own.
func (h ContainerHome) Direct(context.Context) (*DirectHome, error) {
	return nil, fmt.Errorf("%w: this host is no Linux", ErrNotDirect)
}

// Capture is never called.
func (d *DirectHome) Capture(context.Context, Sink, *Meter) ([]string, error) {
	return nil, ErrNotDirect
}
