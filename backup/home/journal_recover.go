package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Recovered is one container that an earlier run, now dead, had paused.
type Recovered struct {
	Container string
	Name      string
	Since     time.Time // when it was paused
	Unpaused  bool      // false: it ran already, or is gone
	Err       error     // it may still be paused; the journal keeps its entry
}

// RecoverLimit bounds what one container may hold up the command that the operator really wanted.
const RecoverLimit = 10 * time.Second

// Recover unpauses what the pause journal in dir (see PausedDir) names and whose process is dead. Every command calls it first.
// Without a journal it costs one failed open and dials no engine. The error is about the journal itself; what could not be
// unpaused is in the list, with its reason, and is tried again by the next run.
func Recover(ctx context.Context, dir string, dial DialFunc) ([]Recovered, error) {
	j := &Journal{Dir: dir}
	entries, err := j.List()
	engines := map[string]Freezer{}
	var found []Recovered
	for _, entry := range entries {
		if entry.OwnerLives() {
			continue
		}
		found = append(found, j.recoverOne(ctx, entry, func(ctx context.Context) (Freezer, error) {
			if e := engines[entry.Host]; e != nil {
				return e, nil
			}
			e, err := dial(ctx, entry.Host)
			engines[entry.Host] = e
			return e, err
		}))
	}
	return found, err
}

func (j *Journal) recoverOne(ctx context.Context, entry PausedEntry, dial func(context.Context) (Freezer, error)) Recovered {
	ctx, cancel := context.WithTimeoutCause(ctx, RecoverLimit, fmt.Errorf("not done within %s", RecoverLimit))
	defer cancel()
	r := Recovered{Container: entry.Container, Name: entry.Name, Since: entry.At}
	e, err := dial(ctx)
	if err == nil {
		r.Unpaused, err = unpauseIfPaused(ctx, e, entry.Container)
	}
	if err == nil {
		err = j.remove(entry.Container)
	}
	if err != nil {
		r.Err = fmt.Errorf("container %q, paused by an earlier run, is perhaps still paused: %w", entry.Name, Blame(ctx, err))
	}
	return r
}

// unpauseIfPaused reports whether the container was paused and is not any more. One that is gone is done.
func unpauseIfPaused(ctx context.Context, e Freezer, id string) (bool, error) {
	c, err := e.Inspect(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !c.Paused() {
		return false, nil
	}
	return true, Thaw(ctx, e, id)
}
