package upgrade

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
)

// pauseLimit is beyond the end of every history: a guard acts on the death of its run, and on no clock.
const pauseLimit = 24 * time.Hour

// guard is the guard of a process: a process of its own, which outlives it or dies with it.
type guard struct {
	words io.Closer // the pipe that closes when the process ends
	ended chan struct{}
	died  bool // with its process
}

// pauses is the shelf of the records of pauses, on the disk that may lose its power.
func (p *process) pauses() journal.Shelf[journal.Pause] {
	return journal.Pauses(filepath.Join(p.folder, "paused")).Watched(p.disk.Watch)
}

// unpause is what every command does first: it takes back what dead runs have left paused.
func (p *process) unpause(ctx context.Context) {
	home.Recover(ctx, p.pauses(), func(context.Context, string) (home.Freezer, error) { return p.engine, nil })
}

// startGuard starts the guard. It reaches the engine by a way of its own, since its process's door closes.
func (p *process) startGuard() (*home.Guardian, error) {
	in, to := io.Pipe()
	from, out := io.Pipe()
	p.guard = &guard{words: to, ended: make(chan struct{})}
	shelf := journal.Pauses(p.pauses().Dir()).Watched(p.host.Process(0, nil).Watch)
	dial := func(ctx context.Context, _ string) (home.Freezer, error) {
		if p.guard.died {
			return nil, errDied
		}
		reached, seen := engine.Dial(ctx, engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + p.engineHost})})
		if reached == nil {
			return nil, errors.New(seen.Why)
		}
		return reached, nil
	}
	var err error
	go func() {
		defer close(p.guard.ended)
		err = home.Guard(context.Background(), in, out, shelf, dial)
		_ = in.Close() // as the kernel does
	}()
	return home.NewGuardian(to, from, func() error {
		<-p.guard.ended
		return err
	})
}

// endGuard is what the death of a process means to its guard: it acts on it, unless it dies as well.
func (p *process) endGuard() {
	if p.guard == nil {
		return
	}
	p.guard.died = p.fate.power || p.fate.guard
	_ = p.guard.words.Close()
	<-p.guard.ended
}
