package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

// Freezer is what it takes to pause a container and to be sure that it goes on again; *engine.Engine is one.
type Freezer interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Pause(ctx context.Context, id string) error
	Unpause(ctx context.Context, id string) error
	Identity(ctx context.Context) (string, error)
}

// DefaultPauseLimit is how long a sandbox is kept frozen for its backup. A sandbox of OpenShell 0.1.x that is frozen
// for 30 seconds is stopped by its own supervisor (docs/facts/openshell-0.1.md 6).
const DefaultPauseLimit = 10 * time.Second

// Limits of pausing and of letting go.
const (
	thawLimit = 45 * time.Second // for all attempts to unpause one container
	ThawRetry = 250 * time.Millisecond
)

// Pauser pauses containers for the length of a read. Before each pause there is a record on the shelf, which is ours
// until the pause is over, and a guard process that has acknowledged it. Both are taken back only after the container
// is known to go on.
type Pauser struct {
	Engine Freezer
	Host   string
	Shelf  journal.Shelf[journal.Pause]
	Guard  *Guardian
	Limit  time.Duration // of one pause: the guard ends it then if we do not
	Now    func() time.Time
}

// ErrNotPaused means that a container was left running, which is no failure: it is read live.
var ErrNotPaused = errors.New("not paused")

// ErrThaw means that a container that we paused could not be unpaused.
var ErrThaw = errors.New("is still paused")

// Hold pauses c. The error wraps ErrNotPaused when that could not be done safely; then c runs as before. Otherwise
// release must be called, on every path; it works after ctx has ended.
func (p *Pauser) Hold(ctx context.Context, c engine.Container) (release func() error, err error) {
	record, err := p.note(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: the pause could not be journalled: %w", ErrNotPaused, err)
	}
	if err := p.Guard.watch(record.Value, p.Limit); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the guard process does not answer: %w", ErrNotPaused, err), record.Remove(), record.Close())
	}
	release = func() error {
		return errors.Join(p.release(context.WithoutCancel(ctx), c, record), record.Close())
	}
	// A pause request that is cut off may still be carried out later; so it is not cut off with ctx, and always taken
	// back.
	if err := p.Engine.Pause(context.WithoutCancel(ctx), c.ID); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNotPaused, err), release())
	}
	return release, nil
}

// note puts the pause on the shelf. The record stays ours until it is closed.
func (p *Pauser) note(ctx context.Context, c engine.Container) (*journal.Record[journal.Pause], error) {
	identity, err := p.Engine.Identity(ctx)
	if err != nil {
		return nil, err
	}
	record, err := p.Shelf.Own(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	pause := journal.Pause{Container: c.ID, Created: c.Created, Name: c.Name, Engine: identity, Host: p.Host, At: p.Now().UTC()}
	if err := record.Put(pause); err != nil {
		return nil, errors.Join(err, record.Close())
	}
	return record, nil
}

func (p *Pauser) release(ctx context.Context, c engine.Container, record *journal.Record[journal.Pause]) error {
	ctx, cancel := text.Within(ctx, thawLimit)
	defer cancel()
	if err := Thaw(ctx, p.Engine, c.ID); err != nil {
		return fmt.Errorf("container %q %w, run \"%s unpause %s\": %w", c.Name, ErrThaw, c.Program(), c.Name, err)
	}
	err := record.Remove()
	p.Guard.done(c.ID)
	return err
}

// Thaw unpauses a container, again and again until it is done or ctx ends: the engine may be busy with a read that was
// just cut off. A container that is gone needs nothing more.
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
