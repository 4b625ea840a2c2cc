package backup

import (
	"context"
	"errors"
	"time"

	"sandkeeper/engine"
)

// tick is how long after a change a second one may have got the same time.
const tick = 2 * time.Second

// layered is an engine that can say where a container's writable layer lies; *gateway.Engine is one.
type layered interface {
	Layer(ctx context.Context, id string) (engine.Layer, error)
}

// look is one look at a home's standing.
type look struct {
	Standing
	layer   string // the folder
	settled bool   // no change after it can have the time of one before it
}

// standing looks at the home. It is settled when nothing was changed since a tick before the time since: that is now, or when the flush
// began after which is looked; a page that was written to while that went on may be written to again without a new ctime. The error says
// why the home's state cannot be known without reading it.
func (h containerHome) standing(ctx context.Context, since time.Time) (look, error) {
	engine, ok := h.engine.(layered)
	if !ok {
		return look{}, errors.New("the container engine does not say where it keeps the layer")
	}
	layer, err := engine.Layer(ctx, h.id)
	if err != nil {
		return look{}, err
	}
	if err := h.unmounted(ctx, layer.Mounts); err != nil {
		return look{}, err
	}
	scan, err := scanLayer(ctx, layer.Dir, h.dir)
	if err != nil {
		return look{}, err
	}
	return look{
		Standing: Standing{Container: layer.Container, Image: layer.ImageID, Home: h.dir, Entries: scan.entries, Digest: scan.digest},
		layer:    layer.Dir, settled: scan.newest.Before(since.Add(-tick)),
	}, nil
}

// scan is what was seen of a layer.
type scan struct {
	entries int
	digest  string
	newest  time.Time // the youngest ctime
}
