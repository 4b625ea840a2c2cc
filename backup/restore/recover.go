package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// Interruption is a restore that was killed, and what is to be said about it.
type Interruption struct {
	journal.Restore
	Half      bool  // the home may be half old and half new; the record stays until a restore into the sandbox has succeeded
	Mended    bool  // its volume was half old and half new: the old home is whole again
	Exchanged bool  // the new home was in its place already: the old one became a backup now
	Started   bool  // the home is whole, and the container that the restore had stopped was started now
	Err       error // the container could not be brought back; tried again by the next run
}

// Restarter is what it takes to bring back the container of a restore that was killed; *engine.Engine is one.
type Restarter interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Start(ctx context.Context, id string) error
	Identity(ctx context.Context) (string, error)
}

// RestartDialer makes the function that reaches real engines, with the TLS settings that e names.
func RestartDialer(e env.Env) func(ctx context.Context, host string) (Restarter, error) {
	return func(ctx context.Context, host string) (Restarter, error) { return home.DialHost(ctx, e, host) }
}

// Recoverer is what it takes to bring back what dead restores left.
type Recoverer struct {
	Dial   func(ctx context.Context, host string) (Restarter, error)
	Keep   KeepFunc
	Switch Switch // nil: no gateway may be asked
}

// Recover brings back what dead restores left, by the records on the shelf: a container whose home is whole is started
// again if it ran. A home that may be half done is left alone and told, for only the operator knows whether the old or
// the new content is wanted. Every command calls it first; without a record it costs one failed open. Records that are
// left alone are in the second list, each with the reason.
func (r Recoverer) Recover(ctx context.Context, shelf journal.Shelf[journal.Restore]) (found []Interruption, left []error) {
	for record, err := range shelf.Abandoned() {
		if err != nil {
			left = append(left, err)
			continue
		}
		if i, ok := r.recover(ctx, record); ok {
			found = append(found, i)
		}
	}
	return found, left
}

// recover reports whether there is anything to say.
func (r Recoverer) recover(ctx context.Context, record *journal.Record[journal.Restore]) (Interruption, bool) {
	patient := ctx // saving a home takes its time
	ctx, cancel := context.WithTimeoutCause(ctx, home.RecoverLimit+stopTime, fmt.Errorf("not done within %s", home.RecoverLimit+stopTime))
	defer cancel()
	entry := record.Value
	i := Interruption{Restore: entry, Half: entry.Writing}
	e, err := reachStopped(ctx, entry.Pause, r.Dial)
	var c engine.Container
	if err == nil {
		c, err = stopSettled(ctx, e, entry)
	}
	if err == nil {
		var failed error
		if i.Mended, failed = mendVolume(patient, e, c, entry); failed != nil {
			err = fmt.Errorf("its volume is not mended: %v", failed) //nolint:errorlint // that a file of it is missing does not mean that the container is
		}
	}

	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing to bring back; a copy that was made stays, and the next restore names it
		i.Err = record.Remove()
		return i, i.Err != nil
	case entry.Writing:
		return i, true
	case err == nil && entry.Running:
		i.Started, err = r.rouseLeft(ctx, e, c, entry)
	}

	if err == nil && entry.Exchange != nil {
		i.Exchanged, err = endExchange(patient, e, entry, r.Keep)
		if err != nil {
			i.Err = fmt.Errorf("a restore into sandbox %q that was killed is not ended: %w", sandbox.Address(entry.Workspace, entry.Sandbox), err)
			return i, true
		}
	}

	if err == nil {
		err = forget(record)
	}
	if err != nil {
		i.Err = fmt.Errorf("container %q, stopped by a restore that was killed, is perhaps still stopped: %w", entry.Name, home.Blame(ctx, err))
	}
	return i, i.Mended || i.Started || i.Exchanged || i.Err != nil
}

// endExchange reports whether the home from before was there to be kept.
func endExchange(ctx context.Context, e Restarter, entry journal.Restore, keep KeepFunc) (bool, error) {
	c, err := e.Inspect(ctx, entry.Container) // as it is after it was started
	if err != nil {
		return false, err
	}
	return finishExchange(ctx, e, c, entry, keep)
}

// reachStopped dials the engine that has the container, and makes sure that it is that one: another may answer at its
// address by now.
func reachStopped(ctx context.Context, p journal.Pause, dial func(context.Context, string) (Restarter, error)) (Restarter, error) {
	e, err := dial(ctx, p.Host)
	if err != nil {
		return nil, err
	}
	identity, err := e.Identity(ctx)
	if err != nil {
		return nil, err
	}
	return e, p.OnEngine(identity)
}

// stopTime is how long an engine may take to stop a container: it goes on with that when whoever asked for it is dead.
const stopTime = 12 * time.Second

// stopSettled is the container once a stop that was asked for has come about, or does not come any more. That a
// container is gone is only known of the engine that had it.
func stopSettled(ctx context.Context, r Restarter, entry journal.Restore) (engine.Container, error) {
	for {
		c, err := r.Inspect(ctx, entry.Container)
		switch {
		case errors.Is(err, fs.ErrNotExist) && entry.Engine == "":
			return c, fmt.Errorf("the engine at %s has no such container, and is perhaps another one", entry.Host)
		case err == nil:
			err = entry.IsContainer(c.Created)
		}

		if err != nil || !c.Running() || !entry.Stopping || time.Since(entry.At) > stopTime {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-time.After(home.ThawRetry):
		}
	}
}

// forget ends a record whose home is whole: the copy of the old content, credentials and all, goes with it.
func forget(record *journal.Record[journal.Restore]) error {
	if file := record.Value.Copy; file != "" {
		if err := disk.IgnoreMissing(os.Remove(file)); err != nil {
			return err
		}
	}
	return record.Remove()
}
