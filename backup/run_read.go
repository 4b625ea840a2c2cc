package backup

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/engine"
)

// reading is one way to read one home once.
type reading struct {
	home      home.Home
	container engine.Container
	stall     archive.StallLimit
	meter     *home.Meter
	pauser    *home.Pauser // nil: read as it is
	limit     time.Duration
	reread    bool
	skip      home.Skip
	flushing  func(dir string) <-chan struct{} // nil: flushing
	told      *recipeRequest
	indirect  error // why the direct way is not taken; nil: it is tried
	way       way
	earlier   *archive.Earlier // nil: every file is read

	thawErr  error
	moved    string // why what was read while nothing ran may not be of one moment after all
	warnings []string
}

// into reads the home into a. With a pauser, the container is frozen exactly for the time of the read.
func (r *reading) into(ctx context.Context, a home.Sink) (err error) {
	if r.pauser == nil {
		r.meter.Enter(home.StageReading)
		err := r.capture(ctx, a)
		r.moved = r.stayed(ctx)
		return err
	}

	r.meter.Enter(home.StagePausing)
	release, err := r.pauser.Hold(ctx, r.container)
	if err != nil {
		return err
	}
	defer func() { r.thawErr = release() }() // also after a panic
	ctx, cancel := context.WithTimeoutCause(ctx, r.limit, ErrPauseLimit)
	defer cancel()
	r.meter.Enter(home.StageReading)
	if err := r.capture(ctx, a); err != nil {
		return err
	}
	r.moved = r.stayed(ctx)
	return nil
}

// stayed looks whether a container that was paused or stopped was so to the end of the read, and says why not: others
// can unpause and start it as well.
func (r *reading) stayed(ctx context.Context) string {
	h, ofContainer := r.home.(home.ContainerHome)
	if !ofContainer || r.pauser == nil && r.container.Running() {
		return ""
	}
	c, err := h.Engine.Inspect(ctx, r.container.ID)
	paused := r.pauser != nil || r.container.Paused()
	switch {
	case err != nil && paused:
		return fmt.Sprintf("it was paused, but whether it stayed so to the end could not be seen: %v", err)
	case err != nil:
		return fmt.Sprintf("it was stopped, but whether it stayed so to the end could not be seen: %v", err)
	case paused && !c.Paused():
		return "somebody else unpaused it while it was read"
	case !paused && (c.Running() || c.Paused()):
		return "somebody else started it while it was read"
	}

	return ""
}

func (r *reading) capture(ctx context.Context, a home.Sink) error {
	direct := r.direct(ctx)
	if direct != nil {
		defer direct.Close()
	}
	same, keep := r.unchanged(ctx, a)
	if same {
		return nil
	}
	if direct != nil {
		changed, err := direct.Capture(ctx, r.skip.Sink(a), r.earlier, r.meter)
		r.earlier = nil // it holds an index
		r.warnings = append(r.warnings, changedWarnings(changed)...)
		if err == nil {
			keep()
		}
		return err
	}

	if err := home.Capture(ctx, r.home, r.skip.Sink(a), r.stall, r.meter); err != nil {
		return err
	}
	switch h := r.home.(type) {
	case interface{ OmitUnread(home.Sink) }:
		h.OmitUnread(a)
	case home.ContainerHome:
		if err := h.OmitMemory(ctx, r.container.Mounts, a); err != nil {
			return err
		}
	}

	keep()
	return nil
}
