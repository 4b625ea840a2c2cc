package upgrade

import (
	"context"
	"fmt"
	"strings"

	"sandkeeper/engine"
)

// stopped is the new sandbox's container, not running: nothing may write to a home that is being replaced or compared.
func (j *job) stopped(ctx context.Context) (engine.Container, error) {
	c, err := j.newContainer(ctx)
	if err != nil {
		return c, err
	}
	if c.Running() || c.Paused() {
		if err := j.halt(ctx, j.NewID, c); err != nil {
			return c, err
		}
	}
	return j.Engine.Inspect(ctx, c.ID)
}

func (j *job) restore(ctx context.Context) error {
	if err := j.hold(ctx); err != nil {
		return err
	}
	c, err := j.stopped(ctx)
	if err != nil {
		return err
	}
	j.resumed, j.filled = false, c.Started // what is in the home now was there before this run
	return j.Content.Restore(ctx, j.sandbox(j.NewID, c), j.Backup)
}

// compare reads the whole home back and holds it against the backup.
func (j *job) compare(ctx context.Context) error {
	c, err := j.stopped(ctx)
	if err != nil {
		return err
	}
	found, err := j.Content.Compare(ctx, j.sandbox(j.NewID, c), j.Backup, false)
	if err != nil {
		return err
	}
	if len(found.Missing)+len(found.Changed) > 0 {
		return fmt.Errorf("sandbox %q is not as its backup %s: %s", j.Address(), j.Backup, found)
	}
	return nil
}

// String names the first few paths.
func (d Differences) String() string {
	var parts []string
	for _, kind := range []struct {
		word  string
		paths []string
	}{{"missing", d.Missing}, {"changed", d.Changed}} {
		if n := len(kind.paths); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", n, kind.word, few(kind.paths)))
		}
	}
	return strings.Join(parts, ", ")
}

// few joins the first paths, quoted, and counts the others.
func few(paths []string) string {
	const shown = 3
	quoted := make([]string, 0, shown)
	for _, path := range paths[:min(shown, len(paths))] {
		quoted = append(quoted, fmt.Sprintf("%q", path))
	}
	text := strings.Join(quoted, ", ")
	if more := len(paths) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
