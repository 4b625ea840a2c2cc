package home

import (
	"context"
	"errors"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/engine"
)

// Tick is how long after a change a second one may have got the same time.
const Tick = 2 * time.Second

// Layered is an engine that can say where a container's writable layer lies; *gateway.Engine is one.
type Layered interface {
	Layer(ctx context.Context, id string) (engine.Layer, error)
}

// Look is one look at a home's standing.
type Look struct {
	archive.LayerFingerprint
	Layer   string // the folder
	Settled bool   // no change after it can have the time of one before it
}

// Standing looks at the home. It is settled when nothing was changed since a tick before the time since: that is now,
// or when the flush began after which is looked; a page that was written to while that went on may be written to again
// without a new ctime. The error says why the home's state cannot be known without reading it.
func (h ContainerHome) Standing(ctx context.Context, since time.Time) (Look, error) {
	engine, ok := h.Engine.(Layered)
	if !ok {
		return Look{}, errors.New("the container engine does not say where it keeps the layer")
	}
	layer, err := engine.Layer(ctx, h.ID)
	if err != nil {
		return Look{}, err
	}
	if err := h.Unmounted(ctx, layer.Mounts); err != nil {
		return Look{}, err
	}
	scan, err := scanLayer(ctx, layer.Dir, h.Dir)
	if err != nil {
		return Look{}, err
	}
	return Look{
		LayerFingerprint: archive.LayerFingerprint{Container: layer.Container, Image: layer.ImageID, Home: h.Dir, Entries: scan.entries, Digest: scan.digest},
		Layer:            layer.Dir, Settled: scan.newest.Before(since.Add(-Tick)),
	}, nil
}

// scan is what was seen of a layer.
type scan struct {
	entries int
	digest  string
	newest  time.Time // the youngest ctime
}
