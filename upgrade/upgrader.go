// Package upgrade answers one question: how does a sandbox move to its new version without ever being in neither place?
// It plans, keeps a journal of every step, executes, and rolls back.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

// Engine is what an upgrade needs of the container engine; *engine.Engine is one.
type Engine interface {
	Identity(ctx context.Context) (string, error)
	Sandboxes(ctx context.Context) ([]engine.Container, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Commit(ctx context.Context, id, ref string, keep engine.Keep) (imageID string, err error)
	ImageID(ctx context.Context, ref string) (string, error)
	Pullable(ctx context.Context, ref string) (digest string, err error)
	Pull(ctx context.Context, ref string, o engine.PullOptions) (engine.Pulled, error)
	RemoveImage(ctx context.Context, ref string) error
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
}

// Content saves what sandboxes hold, and brings it back. Backups is one.
type Content interface {
	// Check reports what would be in the way of Save: no room, a folder that cannot be written, a lock that another run
	// holds.
	Check(ctx context.Context, sb sandbox.Sandbox) error
	// Hold takes the store for as long as sandboxes are between their backup and their restore.
	Hold(ctx context.Context) (release func() error, err error)
	// Save makes a backup and reads every byte of it back.
	Save(ctx context.Context, sb sandbox.Sandbox) (Saved, error)
	// SaveReplaced does the same with what is about to be replaced: it is not the sandbox's newest state.
	SaveReplaced(ctx context.Context, sb sandbox.Sandbox) (Saved, error)
	// Restore replaces the whole home of sb by a backup and reads it back. The store must be held.
	Restore(ctx context.Context, sb sandbox.Sandbox, id string) error
	// Compare says how the home of sb differs from a backup: the whole of it, or what the agent's state is.
	Compare(ctx context.Context, sb sandbox.Sandbox, id string, stateOnly bool) (Differences, error)
	// Sweep removes what restores into the sandbox have left, also those of runs that were killed: its upgrade has
	// ended.
	Sweep(e *Entry) error
}

// Saved is a verified backup.
type Saved struct {
	ID string
}

// Differences are paths in the home.
type Differences struct {
	Missing []string // in the backup, not in the sandbox
	Changed []string // in both, and not the same
}

// Rebuilder runs NemoClaw's own rebuild of one sandbox and writes all that it prints to a new file at log. The exit
// status alone proves nothing: the caller looks.
type Rebuilder interface {
	Rebuild(ctx context.Context, name, log string) (exit int, err error)
}

const undoLimit = 2 * time.Hour // of a rollback: it may have to restore a large home

// Upgrader moves sandboxes. Journal, Engine, Content, Recipes, Switch and Driver must be there.
type Upgrader struct {
	Journal *Journal
	Engine  Engine
	Content Content
	Recipes driver.Recipes
	Switch  Switch
	// Driver is the bare driver of a workspace; Chain is put around it.
	Driver func(ctx context.Context, at driver.Place) (lifecycle.Driver, error)
	// Chain is nil when no extension is configured.
	Chain *lifecycle.Chain
	// Lister lists the sandboxes of every workspace of a gateway. It must be there with a Chain, which knows those of
	// all of them.
	Lister func(ctx context.Context, gateway string) (lifecycle.Driver, error)
	// NemoClaw is nil where there is none on this host, or one without the command.
	NemoClaw Rebuilder
	// Providers returns those of names that the workspace does not have. nil: that cannot be looked up, and is said.
	Providers func(ctx context.Context, at driver.Place, names []string) (missing []string, err error)
	// Keeper is nil where nothing is kept beside recipes.
	Keeper Keeper
	// Room reports whether the engine's disk lacks room for an image of the container. nil: that cannot be seen, and is
	// said.
	Room func(ctx context.Context, container string) error

	Rehearsals RehearsalKind // of the upgrades that are planned from now on
	Settle     time.Duration // how long a sandbox must stay Ready; 0 is driver.DefaultSettle, negative none
	ReadyLimit time.Duration // 0 is driver.DefaultReadyLimit
	Poll       time.Duration // between two looks; 0 is half a second
	PullStall  time.Duration // how long a pull may say nothing; 0 is the engine's default
	Now        func() time.Time
	StoreFlags string        // what a restore that is advised needs beside to find and open the backups: " --backup-dir DIR"; "" for the usual folder
	RunID      func() string // names rollback images and logs: lower-case letters, digits, dashes; nil: NewRunID

	// Progress is told each step, after the journal and before the effect; the sandbox is named by its address.
	Progress func(address string, step Step, detail string)
}

func (u *Upgrader) now() time.Time {
	if u.Now == nil {
		return time.Now()
	}
	return u.Now()
}

func (u *Upgrader) tell(name string, step Step, detail string) {
	if u.Progress != nil {
		u.Progress(name, step, detail)
	}
}

// patience is how long a sandbox that was made or started is watched.
func (u *Upgrader) patience() driver.Patience {
	return driver.Patience{Settle: u.Settle, Ready: u.ReadyLimit, Poll: u.Poll}
}

// driver is the driver of a workspace with the chain around it.
func (u *Upgrader) driver(ctx context.Context, at driver.Place) (lifecycle.Driver, error) {
	d, err := u.Driver(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("gateway %q: %w", at.Gateway, err)
	}
	if u.Chain == nil {
		return d, nil
	}
	return u.Chain.Wrap(d), nil
}

// job is the upgrade of one sandbox.
type job struct {
	*Upgrader
	*Entry
	driver  lifecycle.Driver
	release func() error // of the store; nil while it is not held
	resumed bool         // an earlier run began it, and nobody knows what was done in the sandbox since
	filled  time.Time    // when the new container had last been started when its home came back; zero before
}

func (u *Upgrader) job(ctx context.Context, e *Entry) (*job, error) {
	driver, err := u.driver(ctx, e.place())
	return &job{Upgrader: u, Entry: e, driver: driver}, err
}

// enter writes the step down, then says it.
func (j *job) enter(step Step, detail string) error {
	if err := j.Journal.Enter(j.Entry, step); err != nil {
		return err
	}
	j.tell(j.Address(), step, detail)
	return nil
}

// listed is the sandbox as its gateway has it now; found is false when the gateway answers and does not list it.
func (j *job) listed(ctx context.Context) (record lifecycle.Record, found bool, err error) {
	records, err := j.driver.ListSandboxes(ctx)
	if err != nil {
		return record, false, fmt.Errorf("listing the sandboxes of gateway %q: %w", j.Gateway, err)
	}
	var named []lifecycle.Record
	for _, r := range records {
		switch {
		case r.Name != j.Name:
		case r.ID == j.OldID || r.ID == j.NewID:
			return r, true, nil
		default:
			named = append(named, r)
		}
	}

	switch len(named) {
	case 0:
		return record, false, nil
	case 1:
		return named[0], true, nil
	}

	return record, false, fmt.Errorf("gateway %q lists %d sandboxes named %q, and none is the one that was upgraded", j.Gateway, len(named), j.Address())
}

// containerOf is the one container that carries a sandbox's id; the error wraps fs.ErrNotExist when there is none.
func (j *job) containerOf(ctx context.Context, id string) (engine.Container, error) {
	all, err := j.Engine.Sandboxes(ctx)
	if err != nil {
		return engine.Container{}, err
	}
	var found []engine.Container
	for _, c := range all {
		if c.SandboxID == id && id != "" && c.Workload() {
			found = append(found, c)
		}
	}

	switch len(found) {
	case 0:
		return engine.Container{}, text.As(fs.ErrNotExist, "sandbox %q (id %s) has no container", j.Address(), id)
	case 1:
		return found[0], nil
	}

	return engine.Container{}, fmt.Errorf("containers %q and %q both claim sandbox %q (id %s)", found[0].Name, found[1].Name, j.Address(), id)
}

// oldContainer reports whether the container that the sandbox had at planning time is still there.
func (j *job) oldContainer(ctx context.Context) (c engine.Container, there bool, err error) {
	c, err = j.Engine.Inspect(ctx, j.OldContainer)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	return c, err == nil, err
}

// hold takes the store, once.
func (j *job) hold(ctx context.Context) error {
	if j.release != nil {
		return nil
	}
	release, err := j.Content.Hold(ctx)
	if err == nil {
		j.release = release
	}
	return err
}

func (j *job) close() error {
	if j.release == nil {
		return nil
	}
	err := j.release()
	j.release = nil
	return err
}
