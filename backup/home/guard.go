package home

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

// The guard's conversation. Down: one guardWord a line, as JSON. Up: guardReady once, then guardOK and a container's id
// for every pause that it has taken note of.
const (
	guardReady = "ready"
	guardOK    = "ok"
)

// guardWord is what the guard is told: that a container is about to be paused, and for how long at most, or that it
// goes on again.
type guardWord struct {
	Pause *journal.Pause `json:"pause,omitempty"`
	Limit time.Duration  `json:"limit,omitempty"`
	Done  string         `json:"done,omitempty"` // container
}

const (
	guardLimit  = 2 * time.Minute        // for unpausing after the parent's death
	guardSecond = 400 * time.Millisecond // until the second look at a container that did not look paused
	guardLooks  = 4
	guardGrace  = time.Second // after the pause limit: a parent that goes on has ended the pause itself by then
)

// Guard is the body of the guard process: it notes what the parent says it pauses. When in ends — which is how a pipe
// tells that the process at its other end is gone, however it died — it unpauses everything that was not reported done,
// takes it off the shelf, and returns. A pause that lasts longer than it may, because the parent is stopped (SIGSTOP,
// Ctrl-Z) or stuck, it ends as well: the record stays the parent's. The guard outlives signals that are meant for the
// parent.
func Guard(ctx context.Context, in io.Reader, out io.Writer, shelf journal.Shelf[journal.Pause], dial DialFunc) error {
	deaf := make(chan os.Signal, 1)
	signal.Notify(deaf, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGTSTP)
	defer signal.Stop(deaf)
	w := watchman{out: out, shelf: shelf, dial: dial, open: map[string]watched{}}
	return w.serve(ctx, in)
}

// wordsOf reads the parent's words to their end. A line that is none is passed over.
func wordsOf(in io.Reader) <-chan guardWord {
	words := make(chan guardWord)
	go func() {
		defer close(words)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			var word guardWord
			if json.Unmarshal(lines.Bytes(), &word) == nil {
				words <- word
			}
		}
	}()
	return words
}

// watchman knows what is paused.
type watchman struct {
	out   io.Writer
	shelf journal.Shelf[journal.Pause]
	dial  DialFunc
	open  map[string]watched // by container
}

// watched is a pause that was not reported done.
type watched struct {
	pause journal.Pause
	over  *time.Timer // ends it when it lasts too long
}

// serve watches until the parent is gone, and then unpauses what is left.
func (w *watchman) serve(ctx context.Context, in io.Reader) error {
	if _, err := fmt.Fprintln(w.out, guardReady); err != nil {
		return err
	}
	w.follow(ctx, wordsOf(in))
	ctx, cancel := text.Within(ctx, guardLimit)
	defer cancel()
	return w.freeAll(ctx)
}

// follow takes note of the parent's words until it is gone.
func (w *watchman) follow(ctx context.Context, words <-chan guardWord) {
	for word := range words {
		if word.Pause != nil {
			w.watch(ctx, *word.Pause, word.Limit)
			fmt.Fprintln(w.out, guardOK, word.Pause.Container) // an error means that the parent is gone, which the end of words says as well
		}
		w.forget(word.Done)
	}
	for _, still := range w.open {
		still.over.Stop()
	}
}

// watch notes a pause, and ends it by itself when it lasts too long. What cannot be reached then is tried again when
// the parent is gone.
func (w *watchman) watch(ctx context.Context, p journal.Pause, limit time.Duration) {
	w.forget(p.Container)
	w.open[p.Container] = watched{pause: p, over: time.AfterFunc(limit+guardGrace, func() {
		ctx, cancel := text.Within(ctx, thawLimit)
		defer cancel()
		if e, err := reach(ctx, p, w.dial); err == nil {
			_ = Thaw(ctx, e, p.Container)
		}
	})}
}

// forget ends the watch over a container. The deadline of one pause must not end the next.
func (w *watchman) forget(container string) {
	if old, watching := w.open[container]; watching {
		old.over.Stop()
		delete(w.open, container)
	}
}

// freeAll unpauses what is still paused. The parent is gone, and its records with it: who takes one owns it.
func (w *watchman) freeAll(ctx context.Context) error {
	results := make(chan error, len(w.open))
	for _, one := range w.open {
		go func() { results <- freeOne(ctx, one.pause, w.shelf, w.dial) }()
	}
	var problems []error
	for range w.open {
		problems = append(problems, <-results)
	}
	return errors.Join(problems...)
}

// freeOne looks more than once: the parent may have died between sending its pause request and the engine carrying it
// out. Where another run holds the record by then, the pause is that run's.
func freeOne(ctx context.Context, p journal.Pause, shelf journal.Shelf[journal.Pause], dial DialFunc) error {
	record, err := shelf.Own(ctx, p.Container)
	if _, held := errors.AsType[*journal.HeldError](err); held {
		return nil
	}
	if err != nil {
		return fmt.Errorf("container %s may still be paused: %w", p.Container, err)
	}
	err = lookAgain(ctx, p, dial)
	if err == nil && record.Found {
		err = record.Remove()
	}
	return errors.Join(err, record.Close())
}

func lookAgain(ctx context.Context, p journal.Pause, dial DialFunc) error {
	e, err := reach(ctx, p, dial)
	if err != nil {
		return fmt.Errorf("container %s may still be paused: %w", p.Container, err)
	}
	for range guardLooks {
		if err := Thaw(ctx, e, p.Container); err != nil { // no error when it was not paused
			return fmt.Errorf("container %s may still be paused: %w", p.Container, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(guardSecond):
		}
	}
	return nil
}
