package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandkeeper/internal/journal"
)

// Recovered is one container that an earlier run, now dead, had paused.
type Recovered struct {
	Pause    journal.Pause
	Unpaused bool  // false: it ran already, or is gone
	Err      error // it may still be paused; its record stays
}

// RecoverLimit bounds what one container may hold up the command that the operator really wanted.
const RecoverLimit = 10 * time.Second

// Recover unpauses what dead runs have left paused, by the records on the shelf. Every command calls it first. Without
// a record it costs one failed open and dials no engine. Records that are left alone are in the second list, each with
// the reason: their owner lives, or they are not ours to obey. What could not be unpaused is tried again by the next
// run.
func Recover(ctx context.Context, shelf journal.Shelf[journal.Pause], dial DialFunc) (found []Recovered, left []error) {
	engines := dialed{dial: dial, answers: map[string]reached{}}
	for record, err := range shelf.Abandoned() {
		if err != nil {
			left = append(left, err)
			continue
		}
		found = append(found, recoverPause(ctx, record, engines.dialOnce))
	}
	return found, left
}

// dialed asks each engine once, whether it answers or not.
type dialed struct {
	dial    DialFunc
	answers map[string]reached
}

type reached struct {
	engine Freezer
	err    error
}

func (d dialed) dialOnce(ctx context.Context, host string) (Freezer, error) {
	answer, asked := d.answers[host]
	if !asked {
		answer.engine, answer.err = d.dial(ctx, host)
		d.answers[host] = answer
	}
	return answer.engine, answer.err
}

func recoverPause(ctx context.Context, record *journal.Record[journal.Pause], dial DialFunc) Recovered {
	ctx, cancel := context.WithTimeoutCause(ctx, RecoverLimit, fmt.Errorf("not done within %s", RecoverLimit))
	defer cancel()
	r := Recovered{Pause: record.Value}
	e, err := reach(ctx, record.Value, dial)
	if err == nil {
		r.Unpaused, err = unpauseIfPaused(ctx, e, record.Value)
	}
	if err == nil {
		err = record.Remove()
	}
	if err != nil {
		r.Err = fmt.Errorf("container %q, paused by an earlier run, is perhaps still paused: %w", r.Pause.Name, Blame(ctx, err))
	}
	return r
}

// reach dials the engine that has the container, and makes sure that it is that one: another may answer at its address
// by now.
func reach(ctx context.Context, p journal.Pause, dial DialFunc) (Freezer, error) {
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

// unpauseIfPaused reports whether the container was paused and is not any more. One that is gone is done, where it is
// known that this is the engine that had it.
func unpauseIfPaused(ctx context.Context, e Freezer, p journal.Pause) (bool, error) {
	c, err := e.Inspect(ctx, p.Container)
	if errors.Is(err, fs.ErrNotExist) && p.Engine != "" {
		return false, nil
	}
	if err == nil {
		err = p.IsContainer(c.Created)
	}
	if err != nil || !c.Paused() {
		return false, err
	}
	return true, Thaw(ctx, e, p.Container)
}
