// Package backup answers one question: is the state of every sandbox of an inventory safe? One run saves them one
// beside the other, and accounts for each.
package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// DefaultJobs is how many sandboxes are backed up at the same time.
const DefaultJobs = 2

// Options backs up the sandboxes of an inventory. Zero values serve where nothing else is said.
type Options struct {
	Store  *store.Store   // must be there
	Engine *engine.Engine // nil: no container engine
	// EngineOf is the engine that runs a container, where a host has several; nil: all run on Engine.
	EngineOf func(engine.Container) *engine.Engine
	CLI      home.Execer // nil: no gateway is asked (--offline); a nil *openshell.CLI must not be put in

	Jobs            int
	PauseLimit      time.Duration // 0 is DefaultPauseLimit; negative: never pause
	Stall           time.Duration // 0 is one minute
	Recipients      []string      // age public keys to encrypt to
	Label           string
	Only, Exclude   []string
	SkipUnreachable bool
	Reread          bool // read every home, also one that by its standing is what the last backup holds
	ReadBack        bool // read every byte of each new backup again, and note that it was so
	EngineWay       bool // read no home through the file system, also where that is possible
	DryRun          bool // plan only: nothing is written, paused or read

	// Pauses is the shelf of the records of pauses, and Guard starts the guard process (home.StartGuard). Without both
	// nothing is paused.
	Pauses journal.Shelf[journal.Pause]
	Guard  func() (*home.Guardian, error)
	// Unfinished says why a home that a restore left half done must not be backed up; nil where it may be. A nil
	// function is no look.
	Unfinished func(sandbox.Sandbox) error

	// Quiesce brings what works in a running sandbox to rest, before anything in it is paused or read, and returns what
	// lets it go on; that is called when the backup has ended in whatever way. An error lets the backup of this sandbox
	// fail. nil: nothing is brought to rest.
	Quiesce func(context.Context, sandbox.Sandbox) (resume func(context.Context) error, err error)

	// Versions are the versions in play for one sandbox, for its manifest; nil when nothing is known.
	Versions func(context.Context, sandbox.Sandbox) archive.Versions
	// Recipe is what the sandbox's gateway was told to make it from, by its own API: names and the policy for the
	// manifest, and all of it for the file beside that. nil where no API is asked. It is called while the home is read,
	// and not waited for longer than RecipeLimit. An error costs only this part of the backup, and is a warning.
	Recipe      func(context.Context, sandbox.Sandbox) (archive.Told, error)
	RecipeLimit time.Duration // 0 is ten seconds
	// Skip is what the operator does not want kept. It is never set for the copies that an upgrade or a restore makes
	// for itself.
	Skip home.Skip
	// SkippedChecks goes into every manifest: what the operator chose not to have checked.
	SkippedChecks []string
	Progress      func(home.Event) // called from one goroutine at a time
	Now           func() time.Time

	containers home.EngineReach                 // tests; else made from Engine
	flushing   func(dir string) <-chan struct{} // tests; else flushing
}

// All backs up every sandbox of inv and returns what became of each, in the order of their names. One bad sandbox costs
// only itself. The error is about the run as a whole: *UnknownSandboxError for a name in Only or Exclude, *LockedError,
// *NoRoomError, *openshell.MismatchError when a sandbox answered with one, or why ctx ended. The summary is whole also
// beside an error.
func (r *Options) All(ctx context.Context, inv sandbox.Inventory) (summary Summary, err error) {
	chosen, err := r.choose(inv.Sandboxes)
	if err != nil {
		return Summary{Root: r.Store.Root()}, err
	}
	summary = Summary{Root: r.Store.Root(), DryRun: r.DryRun, Warnings: sameNames(chosen)}
	w := &run{Options: r, inventory: inv.Source, written: map[string]int64{}}
	if !r.DryRun && w.willWrite(chosen) {
		lock, err := r.Store.Lock("backup-all")
		if err != nil {
			return summary, err
		}
		defer func() { err = errors.Join(err, lock.Unlock()) }()
		if err := w.checkSpace(ctx, chosen); err != nil && !slices.Contains(r.SkippedChecks, "disk-space") {
			return summary, err
		}
	}

	summary.Sandboxes = w.all(ctx, chosen)
	summary.Totals = count(summary.Sandboxes)
	summary.Warnings = append(summary.Warnings, w.warnings...)
	return summary, errors.Join(w.close(ctx), context.Cause(ctx), mismatchOf(summary.Sandboxes))
}

// engine is the container engine of a sandbox behind a seam; nil when there is none.
func (r *Options) engine(sb sandbox.Sandbox) home.EngineReach {
	switch {
	case r.containers != nil:
		return r.containers
	case r.EngineOf != nil && sb.Container != nil:
		return home.EngineOf(r.EngineOf(*sb.Container))
	}
	return home.EngineOf(r.Engine)
}

func (r *Options) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// run is one run under way.
type run struct {
	*Options
	inventory string

	reporting      sync.Mutex
	start          sync.Once
	pauser         *home.Pauser // nil after start: nothing is paused
	warnings       []string
	silentGateways map[string]error // gateways that did not tell a recipe, and why
	written        map[string]int64 // by container: how much it has written, where the engine was asked
}

// all runs the workers. Outcomes keep the order of chosen; every sandbox has one, whatever happens to its worker.
func (w *run) all(ctx context.Context, chosen []sandbox.Sandbox) []Outcome {
	outcomes := make([]Outcome, len(chosen))
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, min(w.jobs(), len(chosen))) {
		workers.Go(func() {
			for i := range next {
				outcomes[i] = w.one(ctx, chosen[i])
			}
		})
	}

	for i := range chosen {
		next <- i
	}
	close(next)
	workers.Wait()
	return outcomes
}

func (w *run) jobs() int {
	if w.Jobs <= 0 {
		return DefaultJobs
	}
	return w.Jobs
}

func (w *run) report(e home.Event) {
	if w.Progress == nil {
		return
	}
	w.reporting.Lock()
	defer w.reporting.Unlock()
	w.Progress(e)
}

func (w *run) warn(format string, args ...any) {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	w.warnings = append(w.warnings, fmt.Sprintf(format, args...))
}

// willWrite reports whether any sandbox is to be captured.
func (w *run) willWrite(chosen []sandbox.Sandbox) bool {
	for _, sb := range chosen {
		if w.judge(sb) == (verdict{}) {
			return true
		}
	}
	return false
}

func (w *run) close(ctx context.Context) error {
	if w.pauser == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), home.GuardAnswer, errors.New("the guard process did not end"))
	defer cancel()
	return w.pauser.Guard.Close(ctx)
}

// pausing is the pauser of this run on one engine, started with its guard when the first sandbox needs it; nil when
// pausing would not be safe.
func (w *run) pausing(on home.EngineReach) *home.Pauser {
	w.start.Do(func() {
		p, err := w.startPauser()
		if err != nil {
			w.warn("running sandboxes are read live, without a pause: %v", err)
			return
		}
		w.pauser = p
	})
	if w.pauser == nil {
		return nil
	}
	p := *w.pauser
	p.Engine, p.Host = on, on.Host()
	return &p
}

func (w *run) startPauser() (*home.Pauser, error) {
	if w.Pauses.Dir() == "" || w.Guard == nil {
		return nil, errors.New("there is no folder for the pause journal")
	}
	guard, err := w.Guard()
	if err != nil {
		return nil, fmt.Errorf("the guard process could not be started: %w", err)
	}
	return &home.Pauser{Shelf: w.Pauses, Guard: guard, Limit: w.pauseLimit(), Now: w.now}, nil
}

// mismatchOf finds a decode error among the outcomes: it speaks about the gateway, not about one sandbox.
func mismatchOf(outcomes []Outcome) error {
	for _, o := range outcomes {
		if m, ok := errors.AsType[*openshell.MismatchError](o.err); ok {
			return m
		}
	}
	return nil
}

// sameNames warns about sandboxes that share a name on different gateways: people take one for the other.
func sameNames(chosen []sandbox.Sandbox) []string {
	var warnings []string
	for i := 1; i < len(chosen); i++ {
		if a, b := chosen[i-1], chosen[i]; a.Name == b.Name && a.Workspace == b.Workspace {
			warnings = append(warnings, fmt.Sprintf("two sandboxes are named %q (gateways %q and %q): the manifests tell their backups apart", a.Name, a.Gateway, b.Gateway))
		}
	}
	return warnings
}
