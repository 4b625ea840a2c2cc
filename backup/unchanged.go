package backup

import (
	"cmp"
	"context"
	"time"
)

// flushLimit is how long a read that cannot pause its sandbox waits for the disk before it begins.
const flushLimit = 5 * time.Second

// unchanged reports whether the home is by its standing what the previous backup holds; then the archive holds it, and nothing is read.
// Else keep, called after the read, puts the standing in the manifest, for the next backup.
func (r *reading) unchanged(ctx context.Context, a sink) (same bool, keep func()) {
	keep = func() {}
	h, ofContainer := r.home.(containerHome)
	archive, ok := a.(*Archive)
	if !ofContainer || !ok {
		return false, keep
	}
	seen, err := h.standing(ctx, time.Now())
	if err != nil {
		return false, keep // there is no standing: nothing is lost but time
	}
	if !r.reread && archive.adopt(seen.Standing) {
		return true, keep
	}
	archive.previous = nil // its index is as large as the new one's
	written := r.flush(ctx, h, &seen)
	return false, func() {
		if seen.settled && written() {
			archive.Note(func(m *Manifest) { m.Standing = &seen.Standing })
		}
	}
}

// flush sees to it that what the sandbox wrote through mappings is on the disk before it can write again. written reports whether
// that came about; it does not wait. A sandbox that is frozen writes nothing, so the disk may take the time of the read for it; with
// one that goes on it has to be done before the look.
func (r *reading) flush(ctx context.Context, h containerHome, seen *look) (written func() bool) {
	frozen := r.pauser != nil || r.container.Paused()
	if !frozen && !r.container.Running() {
		return func() bool { return true } // no process, no mapping
	}
	begun := time.Now()
	begin := flushing
	if r.flushing != nil {
		begin = r.flushing
	}
	flushed := begin(seen.layer)
	written = func() bool {
		select {
		case <-flushed:
			return true
		default:
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
	again, err := h.standing(ctx, begun)
	if err != nil {
		return func() bool { return false }
	}
	*seen = again
	return written
}

// adopt takes over all that the previous backup holds when that has the same standing. It must come before the first Add; the
// previous archive is proven before the backup is made.
func (a *Archive) adopt(s Standing) bool {
	m := a.previous
	if m == nil || m.Standing == nil || *m.Standing != s {
		return false
	}
	a.adopted = true
	a.entries, a.exclusions, a.content = m.Index.Entries, m.Exclusions, m.Content
	a.frames.frames = m.Index.Frames
	a.Note(func(into *Manifest) {
		into.Standing, into.ContentOf = m.Standing, cmp.Or(m.ContentOf, m.ID)
	})
	return true
}
