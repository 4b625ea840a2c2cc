package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandkeeper/engine"
)

// Freezer is what it takes to pause a container and to be sure that it goes on again; *gateway.Engine is one.
type Freezer interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Pause(ctx context.Context, id string) error
	Unpause(ctx context.Context, id string) error
}

// DefaultPauseLimit is how long a sandbox is kept frozen for its backup.
const DefaultPauseLimit = 30 * time.Second

const (
	thawLimit = 45 * time.Second // for all attempts to unpause one container
	thawRetry = 250 * time.Millisecond
)

// pauser pauses containers for the length of a read. Before each pause there is an entry in the journal and a guard process that
// has acknowledged it; both are taken back only after the container is known to go on.
type pauser struct {
	engine  Freezer
	host    string
	journal *journal
	guard   *guardian // nil: no guard could be started, so nothing is paused
	now     func() time.Time
}

// errNotPaused means that a container was left running, which is no failure: it is read live.
var errNotPaused = errors.New("not paused")

// errThaw means that a container that we paused could not be unpaused.
var errThaw = errors.New("is still paused")

// hold pauses c. The error wraps errNotPaused when that could not be done safely; then c runs as before. Otherwise release must be
// called, on every path; it works after ctx has ended.
func (p *pauser) hold(ctx context.Context, c engine.Container) (release func() error, err error) {
	entry := p.journal.entry(c, p.host, p.now())
	if err := p.journal.add(entry); err != nil {
		return nil, fmt.Errorf("%w: the pause could not be journalled: %w", errNotPaused, err)
	}
	if err := p.guard.watch(entry); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the guard process does not answer: %w", errNotPaused, err), p.journal.remove(c.ID))
	}
	release = func() error { return p.release(context.WithoutCancel(ctx), c) }
	// A pause request that is cut off may still be carried out later; so it is not cut off with ctx, and always taken back.
	if err := p.engine.Pause(context.WithoutCancel(ctx), c.ID); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNotPaused, err), release())
	}
	return release, nil
}

func (p *pauser) release(ctx context.Context, c engine.Container) error {
	ctx, cancel := context.WithTimeout(ctx, thawLimit)
	defer cancel()
	if err := thaw(ctx, p.engine, c.ID); err != nil {
		return fmt.Errorf("container %q %w, run \"docker unpause %s\": %w", c.Name, errThaw, c.Name, err)
	}
	return errors.Join(p.journal.remove(c.ID), p.guard.done(c.ID))
}

// thaw unpauses a container, again and again until it is done or ctx ends: the engine may be busy with a read that was just cut
// off. A container that is gone needs nothing more.
func thaw(ctx context.Context, e Freezer, id string) error {
	for {
		err := e.Unpause(ctx, id)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(thawRetry):
		}
	}
}
