package lifecycle

import (
	"context"
	"errors"
	"slices"

	"sandkeeper/internal/tracing"
)

// The phases around a backup. They are not of the RFC.
const (
	BeforeBackup Phase = "before_backup"
	AfterBackup  Phase = "after_backup"
)

// Quiescer is an Extension that also has something to do around a backup of a sandbox that runs: bring what runs in it
// to rest, and let it go on. Its phases run as those of Extension do; Exec runs a command in the sandbox.
type Quiescer interface {
	Extension
	// BeforeBackup runs, in declared order, before anything in the sandbox is paused or read. An error lets the backup
	// of this sandbox fail.
	BeforeBackup(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
	// AfterBackup runs, in reverse order, when the backup has ended in whatever way, on every extension whose
	// BeforeBackup began, also on a phase that failed or was cut off. When the process died in between, the next run
	// calls it. The sandbox may be gone by then.
	AfterBackup(ctx context.Context, sandbox Sandbox, state *State) (*State, error)
}

// Inside runs a command in a sandbox and returns what it printed; the error also says that it ended with a status other
// than zero.
type Inside func(ctx context.Context, sandbox Reference, command []string) (output string, err error)

// ErrNotInside means that nothing in this run can execute a command in the sandbox.
var ErrNotInside = errors.New("no command can be run in the sandbox from here")

// Exec lets an extension run a command in the sandbox that its phase is about, without a shell. It ends with ctx.
func Exec(ctx context.Context, command ...string) (output string, err error) {
	e, ok := ctx.Value(emitterKey{}).(emitter)
	if !ok || e.chain.inside == nil {
		return "", ErrNotInside
	}
	return e.chain.inside(ctx, e.call.sandbox.Reference, command)
}

// Quiesces reports whether any of the links has something to do around a backup.
func Quiesces(links []Link) bool {
	return slices.ContainsFunc(links, func(l Link) bool { _, ok := l.Extension.(Quiescer); return ok })
}

// BeginBackup runs BeforeBackup for a sandbox. What it returns must be called when the backup has ended; until then the
// intent is stored. When a phase fails, those that began are asked for AfterBackup, and nothing is left to be called.
func (c *Chain) BeginBackup(ctx context.Context, sandbox Reference) (end func(context.Context) error, err error) {
	quiescers := c.quiescers()
	if len(quiescers) == 0 {
		return func(context.Context) error { return nil }, nil
	}
	if err := checkID(sandbox.ID); err != nil {
		return nil, err
	}
	release, err := c.busy.take(sandbox)
	if err != nil {
		return nil, err
	}
	op, err := c.quieten(tracing.Identified(ctx), sandbox, quiescers)
	if err != nil {
		release()
		return nil, err
	}
	return func(ctx context.Context) error {
		defer release()
		return op.endBackup(cleanup(ctx))
	}, nil
}

func (c *Chain) quiescers() (links []Link) {
	for _, link := range c.links {
		if _, ok := link.Extension.(Quiescer); ok {
			links = append(links, link)
		}
	}
	return links
}

// quieten stores who will be asked, and asks them.
func (c *Chain) quieten(ctx context.Context, sandbox Reference, quiescers []Link) (*operation, error) {
	e, found, err := c.store.get(sandbox.ID)
	if !found {
		e.Reference = sandbox
	}
	if err := errors.Join(err, c.recognised(e)); err != nil {
		return nil, err
	}
	op := c.operate(e)
	for _, link := range quiescers {
		if !slices.Contains(op.entry.Quiesced, link.Name) {
			op.entry.Quiesced = append(op.entry.Quiesced, link.Name)
		}
		err := op.save()
		if err == nil {
			err = op.phase(ctx, link, BeforeBackup, func(e Extension) func(context.Context, Sandbox, *State) (*State, error) {
				return e.(Quiescer).BeforeBackup
			})
		}

		if err := errors.Join(err, op.save()); err != nil {
			return nil, errors.Join(err, op.endBackup(cleanup(ctx)))
		}
	}

	return op, nil
}

// endBackup runs AfterBackup in reverse order on those whose BeforeBackup began. What fails stays owed. A sandbox that
// is tracked for nothing else is forgotten with the last.
func (o *operation) endBackup(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Backward(slices.Clone(o.entry.Quiesced)) {
		err := o.owed(ctx, name, AfterBackup, func(e Extension) func(context.Context, Sandbox, *State) (*State, error) {
			if q, ok := e.(Quiescer); ok {
				return q.AfterBackup
			}
			return func(context.Context, Sandbox, *State) (*State, error) { return nil, nil }
		})
		if err == nil {
			o.entry.Quiesced = slices.DeleteFunc(o.entry.Quiesced, func(n string) bool { return n == name })
		}
		errs = append(errs, err, o.saveUnlessIdle())
	}
	return errors.Join(errs...)
}

// saveUnlessIdle stores the entry, or forgets a sandbox that was only ever backed up once all of that has ended.
func (o *operation) saveUnlessIdle() error {
	if o.entry.Status == "" && len(o.entry.Quiesced) == 0 {
		return o.chain.store.remove(o.stored)
	}
	return o.save()
}

// EndBackups calls AfterBackup for the backups that a killed run has left, and reports each.
func (c *Chain) EndBackups(ctx context.Context) ([]ReconcileReport, error) {
	if c.store == nil {
		return nil, nil
	}
	entries, err := c.store.all()
	var reports []ReconcileReport
	for _, e := range entries {
		if len(e.Quiesced) == 0 {
			continue
		}
		release, err := c.busy.take(e.Reference)
		if err != nil {
			continue // this very run is at it
		}
		r := &reconciling{operation: c.operate(e)}
		r.acted("ended the backup that was interrupted", r.endBackup(cleanup(tracing.Identified(ctx))))
		reports = append(reports, r.reports...)
		release()
	}

	return reports, err
}
