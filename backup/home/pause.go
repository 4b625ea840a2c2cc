package home

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
	ThawRetry = 250 * time.Millisecond
)

// Pauser pauses containers for the length of a read. Before each pause there is an entry in the journal and a guard process that
// has acknowledged it; both are taken back only after the container is known to go on.
type Pauser struct {
	Engine  Freezer
	Host    string
	Journal *Journal
	Guard   *guardian // nil: no guard could be started, so nothing is paused
	Now     func() time.Time
}

// ErrNotPaused means that a container was left running, which is no failure: it is read live.
var ErrNotPaused = errors.New("not paused")

// ErrThaw means that a container that we paused could not be unpaused.
var ErrThaw = errors.New("is still paused")

// Hold pauses c. The error wraps errNotPaused when that could not be done safely; then c runs as before. Otherwise release must be
// called, on every path; it works after ctx has ended.
func (p *Pauser) Hold(ctx context.Context, c engine.Container) (release func() error, err error) {
	entry := p.Journal.Entry(c, p.Host, p.Now())
	if err := p.Journal.Add(entry); err != nil {
		return nil, fmt.Errorf("%w: the pause could not be journalled: %w", ErrNotPaused, err)
	}
	if err := p.Guard.watch(entry); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the guard process does not answer: %w", ErrNotPaused, err), p.Journal.remove(c.ID))
	}
	release = func() error { return p.release(context.WithoutCancel(ctx), c) }
	// A pause request that is cut off may still be carried out later; so it is not cut off with ctx, and always taken back.
	if err := p.Engine.Pause(context.WithoutCancel(ctx), c.ID); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNotPaused, err), release())
	}
	return release, nil
}

func (p *Pauser) release(ctx context.Context, c engine.Container) error {
	ctx, cancel := context.WithTimeout(ctx, thawLimit)
	defer cancel()
	if err := Thaw(ctx, p.Engine, c.ID); err != nil {
		return fmt.Errorf("container %q %w, run \"docker unpause %s\": %w", c.Name, ErrThaw, c.Name, err)
	}
	return errors.Join(p.Journal.remove(c.ID), p.Guard.done(c.ID))
}

// Thaw unpauses a container, again and again until it is done or ctx ends: the engine may be busy with a read that was just cut
// off. A container that is gone needs nothing more.
func Thaw(ctx context.Context, e Freezer, id string) error {
	for {
		err := e.Unpause(ctx, id)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(ThawRetry):
		}
	}
}
