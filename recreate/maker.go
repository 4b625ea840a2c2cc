package recreate

import (
	"context"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

// Order says which sandbox is made, and from what.
type Order struct {
	// Recipe is what it is made from; Name, Gateway and Workspace in it say where. SandboxID is the sandbox that is
	// gone.
	Recipe driver.Recipe
	// Store holds Backup, its home. The caller holds the store's lock.
	Store      *store.Store
	Backup     store.Backup
	Identities archive.Identities // private keys, for encrypted backups
	// Running says how it is left: Ready, or stopped.
	Running bool
	// Again is the command line that goes on with the order, as people are told of it; "": a restore from the usual
	// folder of backups.
	Again string
}

// Switch stops and starts sandboxes through their gateways, so that the gateways know; *driver.Gateways is one. Errors
// wrap openshell.ErrUnsupported where the gateway is too old for it.
type Switch interface {
	StopSandbox(ctx context.Context, sb sandbox.Sandbox) error
	StartSandbox(ctx context.Context, sb sandbox.Sandbox) error
}

// Found is where a sandbox that was made is written to.
type Found struct {
	Sandbox sandbox.Sandbox
	Engine  *engine.Engine // of its container; nil where it is reached through its gateway
	CLI     home.Execer    // nil where it has a container
}

// Maker makes sandboxes again. Driver, Switch, Locate and State must be there.
type Maker struct {
	// State is sandkeeper's state folder: the journals are below it.
	State string
	// Driver is the bare driver of a workspace; Chain is put around it.
	Driver func(ctx context.Context, at driver.Place) (lifecycle.Driver, error)
	Chain  *lifecycle.Chain // nil without extensions
	Switch Switch
	// Providers returns those of names that the workspace does not have; nil: nobody looks.
	Providers func(ctx context.Context, at driver.Place, names []string) (missing []string, err error)
	// Locate finds the sandbox that was made, by its id, while it is Ready or stopped.
	Locate func(ctx context.Context, made lifecycle.Record, at driver.Place) (Found, error)

	Settle     time.Duration // how long it must stay Ready; 0 is driver.DefaultSettle, negative none
	ReadyLimit time.Duration // 0 is driver.DefaultReadyLimit
	Poll       time.Duration // between two looks; 0 is half a second
	Stall      time.Duration // how long a write may stand still; 0 is one minute
	Now        func() time.Time

	// Progress is told each step, after the journal and before the effect; Moving how far its home is.
	Progress func(name string, step Step)
	Moving   func(home.Event)

	fill func(context.Context, restore.Request) (restore.Summary, error) // tests; else restore.Restore
}

// Outcome is what became of an order.
type Outcome struct {
	ID      string          // the gateway's id of the sandbox that was made; "" while there is none
	Home    restore.Summary // what was put back
	Running bool            // how it was left
	Resumed bool            // an earlier call had begun it
	// Withheld names the variables whose values the recipe did not hold: they are not set.
	Withheld []string
	Warnings []string
}

// Make makes the sandbox and puts its home back. It does nothing twice: what an earlier call with the same backup has
// made is recognised by the journal and gone on with. Errors: *ExistsError when a sandbox of that name is there that is
// not ours, *UnfinishedError when one is half made from another backup, *MissingError for what the gateway lacks,
// *driver.NotReadyError, and those of a restore. After an error the same call may be made again.
func (m *Maker) Make(ctx context.Context, o Order) (outcome Outcome, err error) {
	j, err := m.begin(ctx, o)
	if err != nil {
		return Outcome{}, err
	}
	defer func() { err = j.end(err) }()
	for _, step := range j.way() {
		if err := context.Cause(ctx); err != nil {
			return j.outcome, err
		}
		if err := j.enter(step.name); err != nil {
			return j.outcome, err
		}
		if err := step.work(j, ctx); err != nil {
			return j.outcome, err
		}
	}

	return j.outcome, j.done()
}

// Check says without any effect whether Make would be refused, and whether it would go on with what an earlier call has
// begun.
func (m *Maker) Check(ctx context.Context, o Order) (resumes bool, err error) {
	j, err := m.look(ctx, o)
	if err != nil {
		return false, err
	}
	if j.Step != "" {
		return true, nil
	}
	return false, j.lacks(ctx)
}

func (m *Maker) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// patience is how long what was made is watched.
func (m *Maker) patience() driver.Patience {
	return driver.Patience{Settle: m.Settle, Ready: m.ReadyLimit, Poll: m.Poll}
}
