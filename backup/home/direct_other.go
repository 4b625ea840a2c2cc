//go:build !linux

package home

import (
	"context"
	"fmt"

	"sandkeeper/backup/archive"
	"sandkeeper/engine"
)

// Direct is not possible: containers of other systems run on a Linux of their own.
func (h ContainerHome) Direct(context.Context) (*DirectHome, error) {
	return nil, fmt.Errorf("%w: this host is no Linux", ErrNotDirect)
}

// Ground is OnHost.
func Ground(ctx context.Context, e Grounded, id string) (engine.OnHost, error) {
	return e.OnHost(ctx, id)
}

// DirectLayers is not possible either.
func (h ContainerHome) DirectLayers(ctx context.Context) (*DirectHome, error) { return h.Direct(ctx) }

// Capture is never called.
func (d *DirectHome) Capture(context.Context, Sink, *archive.Earlier, *Meter) ([]string, error) {
	return nil, ErrNotDirect
}
