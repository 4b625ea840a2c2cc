package cmd

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/backup"
	"sandkeeper/internal/ui"
)

// unpauseLeftovers is the first thing that every command does: containers that a killed run left paused go on. It costs one
// failed open when there is nothing, and it never stops the command that the operator asked for.
func (a *app) unpauseLeftovers(ctx context.Context) {
	if a.Env.StateHome() == "" {
		return
	}
	found, err := backup.Recover(ctx, backup.PausedDir(a.Env.StateHome()), backup.Dialer(a.Env))
	if err != nil {
		a.warn("journal of paused containers: %v", err)
	}
	for _, r := range found {
		switch {
		case r.Err != nil:
			a.warn("%v; it is tried again by the next run, or: docker unpause %s", r.Err, r.Container)
		case r.Unpaused:
			fmt.Fprintf(a.Err, "unpaused container %s, which a run that was killed had left paused for %s\n", ui.Clean(r.Name), ui.Age(time.Since(r.Since)))
		}
	}
}
