package backup

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"sandkeeper/engine"
)

// Standing names one state of a home by what the file system keeps of each of its entries: inode, size, mode, owner, time of the last
// write and time of the last change of any kind (ctime, which no program can set). Two equal ones mean that nothing was written between
// them, so that a home need not be read again to know that it is what it was.
//
// It is taken of the container's writable layer, and only where that can be relied on:
//
//   - the layer is a folder of this host on ext4, xfs or btrfs, and we may look into it; nothing else is mounted over the home;
//   - no entry was changed within the last two seconds before, for times are kept in ticks, on old file systems of a whole second;
//   - every page that the sandbox had written through a memory mapping was on the disk before it could write again: the next write
//     through the mapping sets the ctime only then (file_update_time in the kernel's page_mkwrite).
//
// Where one of these does not hold there is no standing, and the home is read.
type Standing struct {
	Container string `json:"container"` // full id
	Image     string `json:"image"`     // id: what lies under the layer
	Home      string `json:"home"`
	Entries   int    `json:"entries"` // in the layer
	Digest    string `json:"digest"`  // BLAKE3, 128 bits, of all that is looked at
}

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

// within reports whether name is dir or lies below it.
func within(name, dir string) bool {
	dir = path.Clean(dir)
	return path.Clean(name) == dir || strings.HasPrefix(path.Clean(name), strings.TrimSuffix(dir, "/")+"/")
}

// scan is what was seen of a layer.
type scan struct {
	entries int
	digest  string
	newest  time.Time // the youngest ctime
}
