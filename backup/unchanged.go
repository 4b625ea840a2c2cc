package backup

import (
	"context"
	"slices"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
)

// How long the disk is waited for: by a read that cannot pause its sandbox, before it begins; by a read that has paused
// it, after it has ended.
const (
	flushLimit = 5 * time.Second
	flushRest  = 300 * time.Millisecond
)

// unchanged reports whether the home is by its standing what the previous backup holds; then the archive holds it, and
// nothing is read. Else keep, called after the read, puts the standing in the manifest, for the next backup.
//
// Of a home that was written to, files may be what they were: then r.earlier knows them.
func (r *reading) unchanged(ctx context.Context, a home.Sink) (same bool, keep func()) {
	keep = func() {}
	h, ofContainer := r.home.(home.ContainerHome)
	packed, ok := a.(*archive.Archive)
	if !ofContainer || !ok {
		return false, keep
	}
	begun := time.Now()
	seen, err := h.Standing(ctx, begun)
	if err != nil {
		return false, keep // there is no standing: nothing is lost but time
	}
	if !r.reread && !r.way.better(packed.Previous) && r.sameSkip(packed.Previous) && packed.Adopt(seen.LayerFingerprint) {
		return true, keep
	}
	if !r.reread {
		r.earlier = packed.Earlier(seen.LayerFingerprint)
	}
	packed.Previous = nil // its index is as large as the new one's
	written := r.flush(ctx, h, &seen)
	return false, func() {
		if !written() {
			return
		}
		packed.Note(func(m *archive.Manifest) {
			m.Looked = &archive.Looked{Container: seen.Container, Image: seen.Image, Home: seen.Home, Settled: begun.Add(-home.Tick)}
			if seen.Settled {
				m.Standing = &seen.LayerFingerprint
			}
		})
	}
}

// sameSkip reports whether a backup was made without the same paths as this one is.
func (r *reading) sameSkip(previous *archive.Manifest) bool {
	return previous != nil && slices.Equal(previous.SkipPaths, r.skip.Patterns())
}

// flush sees to it that what the sandbox wrote through mappings is on the disk before it can write again. written
// reports whether that came about, and waits a moment for it: a read on the direct way may be faster than the disk. A
// sandbox that is frozen writes nothing, so the disk may take the time of the read for it; with one that goes on it has
// to be done before the look.
func (r *reading) flush(ctx context.Context, h home.ContainerHome, seen *home.Look) (written func() bool) {
	frozen := r.pauser != nil || r.container.Paused()
	if !frozen && !r.container.Running() {
		return func() bool { return true } // no process, no mapping
	}
	begun := time.Now()
	begin := home.Flushing
	if r.flushing != nil {
		begin = r.flushing
	}
	flushed := begin(seen.Layer)
	written = func() bool {
		select {
		case <-flushed:
			return true
		case <-time.After(flushRest):
			return false
		}
	}
	if frozen {
		return written
	}
	select {
	case <-flushed:
	case <-time.After(flushLimit):
	case <-ctx.Done():
	}

	again, err := h.Standing(ctx, begun)
	if err != nil {
		return func() bool { return false }
	}
	*seen = again
	return written
}
