package home

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The guard's conversation, one line each. Up: guardReady once, then guardOK and an id for every pause that it has taken note of.
const (
	guardReady = "ready"
	guardOK    = "ok"
	guardPause = "pause" // <id> <engine host>
	guardDone  = "done"  // <id>
)

const (
	guardLimit  = 2 * time.Minute        // for unpausing after the parent's death
	GuardSecond = 400 * time.Millisecond // until the second look at a container that did not look paused
	guardLooks  = 4
)

// Guard is the body of the guard process: it notes what the parent says it pauses, and when in ends — which is how a pipe tells
// that the process at its other end is gone, however it died — it unpauses everything that was not reported done, takes it off the
// pause journal in dir, and returns. It outlives signals that are meant for the parent.
func Guard(ctx context.Context, in io.Reader, out io.Writer, dir string, dial DialFunc) error {
	deaf := make(chan os.Signal, 1)
	signal.Notify(deaf, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Stop(deaf)
	if _, err := fmt.Fprintln(out, guardReady); err != nil {
		return err
	}
	open := listenTo(in, out)
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	return FreeAll(ctx, open, &Journal{Dir: dir}, dial)
}

// listenTo follows the parent's words to their end and returns what is still paused then: id → engine host.
func listenTo(in io.Reader, out io.Writer) map[string]string {
	open := map[string]string{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		id, host, _ := strings.Cut(rest, " ")
		if !containerID().MatchString(id) {
			continue
		}
		switch word {
		case guardPause:
			open[id] = host
			fmt.Fprintln(out, guardOK, id) // an error means that the parent is gone, which the end of in says as well
		case guardDone:
			delete(open, id)
		}
	}
	return open
}

func FreeAll(ctx context.Context, open map[string]string, j *Journal, dial DialFunc) error {
	results := make(chan error, len(open))
	for id, host := range open {
		go func() { results <- freeOne(ctx, id, host, j, dial) }()
	}
	var problems []error
	for range open {
		problems = append(problems, <-results)
	}
	return errors.Join(problems...)
}

// freeOne looks more than once: the parent may have died between sending its pause request and the engine carrying it out. It stops
// when another run has journalled a pause of its own: that one is not to be taken back.
func freeOne(ctx context.Context, id, host string, j *Journal, dial DialFunc) error {
	e, err := dial(ctx, host)
	if err != nil {
		return fmt.Errorf("container %s may still be paused: %w", id, err)
	}
	dead, _, _ := j.records().Get(id) // no entry: the next run was here already
	for range guardLooks {
		if now, found, _ := j.records().Get(id); found && !now.sameAs(dead) {
			return nil
		}
		if err := Thaw(ctx, e, id); err != nil { // no error when it was not paused
			return fmt.Errorf("container %s may still be paused: %w", id, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(GuardSecond):
		}
	}
	if now, found, _ := j.records().Get(id); found && !now.sameAs(dead) {
		return nil
	}
	return j.remove(id)
}

// sameAs reports whether two entries are of one pause.
func (e PausedEntry) sameAs(other PausedEntry) bool {
	return e.PID == other.PID && e.Started == other.Started && e.At.Equal(other.At)
}
