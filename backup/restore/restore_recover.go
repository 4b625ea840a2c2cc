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
)

// Interruption is a restore that was killed, and what is to be said about it.
type Interruption struct {
	RestoreEntry
	Half    bool  // the home may be half old and half new; the entry stays until a restore into the sandbox has succeeded
	Started bool  // the home is whole, and the container that the restore had stopped was started now
	Err     error // the container could not be brought back; tried again by the next run
}

// Restarter is what it takes to bring back the container of a restore that was killed; *gateway.Engine is one.
type Restarter interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Start(ctx context.Context, id string) error
}

// RestartDialer makes the function that reaches real engines, with the TLS settings that e names.
func RestartDialer(e env.Env) func(ctx context.Context, host string) (Restarter, error) {
	return func(ctx context.Context, host string) (Restarter, error) { return home.DialHost(ctx, e, host) }
}

// RecoverRestores brings back what restores left whose process is dead, by the journal in dir (see RestoringDir): a container
// whose home is whole is started again if it ran. A home that may be half done is left alone and told, for only the operator
// knows whether the old or the new content is wanted. Every command calls it first; without a journal it costs one failed open.
func RecoverRestores(ctx context.Context, dir string, dial func(context.Context, string) (Restarter, error)) ([]Interruption, error) {
	j := restoreJournal{dir}
	entries, err := j.list()
	var found []Interruption
	for _, entry := range entries {
		if entry.OwnerLives() {
			continue
		}
		if i, ok := j.recoverOne(ctx, entry, dial); ok {
			found = append(found, i)
		}
	}
	return found, err
}

// recoverOne reports whether there is anything to say.
func (j restoreJournal) recoverOne(ctx context.Context, entry RestoreEntry, dial func(context.Context, string) (Restarter, error)) (Interruption, bool) {
	ctx, cancel := context.WithTimeoutCause(ctx, home.RecoverLimit+stopTime, fmt.Errorf("not done within %s", home.RecoverLimit+stopTime))
	defer cancel()
	i := Interruption{RestoreEntry: entry, Half: entry.Writing}
	e, err := dial(ctx, entry.Host)
	var c engine.Container
	if err == nil {
		c, err = entry.settled(ctx, e)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing to bring back; a copy that was made stays, and the next restore names it
		i.Err = j.remove(entry.Container)
		return i, i.Err != nil
	case entry.Writing:
		return i, true
	case err == nil && entry.Running && !c.Running():
		err = e.Start(ctx, entry.Container)
		i.Started = err == nil
	}
	if err == nil {
		err = j.forget(entry)
	}
	if err != nil {
		i.Err = fmt.Errorf("container %q, stopped by a restore that was killed, is perhaps still stopped: %w", entry.Name, home.Blame(ctx, err))
	}
	return i, i.Started || i.Err != nil
}

// stopTime is how long an engine may take to stop a container: it goes on with that when whoever asked for it is dead.
const stopTime = 12 * time.Second

// settled is the container once a stop that was asked for has come about, or does not come any more.
func (e RestoreEntry) settled(ctx context.Context, r Restarter) (engine.Container, error) {
	for {
		c, err := r.Inspect(ctx, e.Container)
		if err != nil || !c.Running() || !e.Stopping || time.Since(e.At) > stopTime {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-time.After(home.ThawRetry):
		}
	}
}

// forget ends an entry whose home is whole: the copy of the old content, credentials and all, goes with it.
func (j restoreJournal) forget(entry RestoreEntry) error {
	if entry.Copy != "" {
		if err := disk.IgnoreMissing(os.Remove(entry.Copy)); err != nil {
			return err
		}
	}
	return j.remove(entry.Container)
}
