package openshell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Wait looks at a sandbox until done says so, or ctx ends. done gets nil when there is no sandbox of that name; its
// error ends the waiting. A gateway that does not answer is asked again, ever more slowly: it may be restarting. The
// last sight is returned also beside an error.
func (a *API) Wait(ctx context.Context, name string, done func(*RawSandbox) (bool, error)) (*RawSandbox, error) {
	pause := Backoff{Least: a.PollInterval, Most: 15 * time.Second}
	var last *RawSandbox
	var trouble error
	for {
		seen, err := a.look(ctx, name)
		if Transient(err) {
			trouble = err
		} else {
			if err != nil {
				return last, err
			}
			last, trouble = seen, nil
			if finished, err := done(seen); finished || err != nil {
				return last, err
			}
		}

		if !pause.Sleep(ctx, trouble != nil) {
			return last, errors.Join(fmt.Errorf("waiting for sandbox %q: %w", a.Address(name), context.Cause(ctx)), trouble)
		}
	}
}

// look is GetSandbox with nil for a sandbox that is not there.
func (a *API) look(ctx context.Context, name string) (*RawSandbox, error) {
	seen, err := a.GetSandbox(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &seen, nil
}

// Transient reports whether asking again may help: nobody answered, or not in time.
func Transient(err error) bool {
	failure, ok := errors.AsType[*ConnectError](err)
	return ok && failure.Kind == Unreachable
}

// Backoff is the pause between looks: Least while all is well, twice as long after each failure, up to Most.
type Backoff struct {
	Least, Most time.Duration

	current time.Duration
}

// Sleep pauses; it returns false when ctx ended instead.
func (b *Backoff) Sleep(ctx context.Context, failed bool) bool {
	if failed {
		b.current = min(2*max(b.current, b.Least), b.Most)
	} else {
		b.current = b.Least
	}

	timer := time.NewTimer(b.current)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
