package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
)

// Importer makes the sandboxes of a set on a gateway of 0.1.x. All of it must be there, but for what says otherwise.
type Importer struct {
	State   string // sandkeeper's state folder
	Gateway string // that the sandboxes are made on
	Set     *Set
	Store   *store.Store // that of the set; the caller holds its lock
	// Maker makes one sandbox; its Progress is the importer's own.
	Maker *recreate.Maker
	// Prepare gives what a member is made from, proven to its last byte.
	Prepare func(ctx context.Context, m Member) (recreate.Order, error)
	// Listed are the sandboxes of a workspace.
	Listed func(ctx context.Context, at driver.Place) ([]lifecycle.Record, error)
	// MakeWorkspace makes a workspace unless it is there.
	MakeWorkspace func(ctx context.Context, name string) error
	// Replay gives a sandbox what was kept of the old one beside its recipe. The error says what was refused, each by
	// name.
	Replay func(ctx context.Context, at driver.Place, name string, kept openshell.Beside) error
	// Settings are those of the whole gateway that somebody has set, and SetSetting sets one.
	Settings   func(ctx context.Context) ([]openshell.Setting, error)
	SetSetting func(ctx context.Context, s openshell.Setting) error
	// StillRuns says why the old container of a member is not known to be stopped; nil when it is, or is gone. The
	// error wraps ErrStartedSince where it is stopped, and ran after it was exported.
	StillRuns func(ctx context.Context, m Member) error

	Again               string            // the command line of this import, as people are told to run it again
	StoreFlag           string            // what another command that is advised needs to find the backups: " --backup-dir DIR", or ""
	Rename              map[string]string // new names by address
	WithoutDriverConfig bool
	Now                 func() time.Time
	Progress            func(address string, step recreate.Step) // may be nil
}

// ErrStartedSince says of an old container that it was started after it was exported: what it has written is in no
// backup.
var ErrStartedSince = errors.New("it was started again after it was exported, and what it has written since is not in the set: export again")

// Running are the members whose old container is not known to be stopped. Two agents with one identity must not run.
func (i *Importer) Running(ctx context.Context) (problems []error) {
	for _, m := range i.Set.Sandboxes {
		if err := i.StillRuns(ctx, m); err != nil && !errors.Is(err, ErrStartedSince) {
			problems = append(problems, fmt.Errorf("sandbox %q: %w", m.Address(), err))
		}
	}
	return problems
}

// Import makes every sandbox that is not there yet. One that fails costs only itself. The run may be repeated, also
// after it was killed: what is there is recognised, and nothing is made twice.
func (i *Importer) Import(ctx context.Context) Import {
	result := Import{Set: SetPath(i.Store.Root(), i.Set.Gateway), From: i.Set.Gateway, Gateway: i.Gateway, Sandboxes: []ImportedMember{}, Removable: []string{}}
	result.Lost = append(i.workspaces(ctx), i.settings(ctx)...)
	for _, m := range i.Set.Sandboxes {
		outcome := ImportedMember{
			Name: m.Name, Workspace: m.Workspace, As: i.name(m), Backup: m.Backup, Running: m.Running, Container: m.ContainerName, Lost: []Item{},
		}
		err := context.Cause(ctx)
		if err == nil {
			err = i.one(ctx, m, &outcome)
		}
		if err != nil {
			outcome.Status, outcome.err, outcome.Reason = Failed, err, err.Error()
		}
		result.add(outcome)
	}
	return result
}

// name is what a member is called from now on.
func (i *Importer) name(m Member) string {
	if name := i.Rename[m.Address()]; name != "" {
		return name
	}
	return m.Name
}

func (i *Importer) at(m Member) driver.Place {
	return driver.Place{Gateway: i.Gateway, Workspace: m.Workspace}
}

// one imports one sandbox.
func (i *Importer) one(ctx context.Context, m Member, outcome *ImportedMember) (err error) {
	if !m.Final {
		return fmt.Errorf("it is not in the set with its last state (%s): export it again", or(m.Problem, "the export did not come to it"))
	}
	if m.Workspace != sandbox.DefaultWorkspace {
		if err := i.MakeWorkspace(ctx, m.Workspace); err != nil {
			return fmt.Errorf("workspace %q: %w", m.Workspace, err)
		}
	}

	record, err := imports(i.State).Own(ctx, i.key(m))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	all, err := i.Listed(ctx, i.at(m))
	if err != nil {
		return err
	}
	there, found := named(all, i.name(m))
	if record.Found && i.settled(record, there, found, outcome) {
		i.compare(ctx, m, record.Value, outcome)
		return i.finish(ctx, m, record, outcome)
	}
	if found && record.Value.Done { // what an earlier run has made is gone, and somebody has made another one
		return &recreate.ExistsError{Sandbox: sandbox.Sandbox{Name: there.Name, Gateway: i.Gateway, Workspace: m.Workspace}, Phase: there.Phase, Reason: there.Reason}
	}
	if err := i.madeAs(m, all); err != nil {
		return err
	}
	if found && there.ID == m.ID {
		return fmt.Errorf("gateway %q still has the record of the old sandbox: it was started with the old database. Stop it, put that database aside, start it again, "+
			"and do not delete the sandbox", i.Gateway)
	}
	if err := i.StillRuns(ctx, m); err != nil {
		return err
	}
	return i.make(ctx, m, record, outcome)
}

// settled reports whether an earlier run has brought the sandbox to its end, and says which.
func (i *Importer) settled(record *journal.Record[imported], there lifecycle.Record, found bool, outcome *ImportedMember) bool {
	known, same := record.Value, found && record.Value.NewID != "" && there.ID == record.Value.NewID
	outcome.ID = known.NewID
	switch {
	case same && (known.Done || !i.halfMade(known)):
		outcome.Status = Present
		outcome.Resumed = !known.Done // a run was killed between the end of the work and the note of it
		return true
	case known.Done && !found:
		outcome.Status = Gone
		outcome.Reason = "an earlier import made it, and it was deleted since; " + i.remake(outcome)
		return true
	}

	outcome.ID = ""
	return false
}

// remake says how a sandbox that an import has made, and that was deleted since, is made again: from a backup of its
// name. One that got another name has such a backup only once it was saved under that.
func (i *Importer) remake(o *ImportedMember) string {
	_, err := i.Store.LatestOn("", o.Workspace, o.As)
	if _, none := errors.AsType[*store.NotFoundError](err); none && o.As != o.Name {
		return fmt.Sprintf("it was never saved under its new name, so a further one makes it again: repeat the import with --rename %s=OTHER", sandbox.Address(o.Workspace, o.Name))
	}
	return fmt.Sprintf("sandkeeper restore %s --recreate%s makes it again", sandbox.Address(o.Workspace, o.As), i.StoreFlag)
}

// finish brings a sandbox to its end that a killed run has made, and notes that it is whole.
func (i *Importer) finish(ctx context.Context, m Member, record *journal.Record[imported], outcome *ImportedMember) error {
	if record.Value.Done || outcome.Status != Present {
		return nil
	}
	if err := i.giveBack(ctx, m, outcome); err != nil {
		return err
	}
	done := record.Value
	done.Done, done.Updated = true, i.now()
	return record.Put(done)
}

// halfMade reports whether its recreation has not come to its end.
func (i *Importer) halfMade(known imported) bool {
	_, found, err := recreate.Unfinished(i.State).Look(known.key())
	return found || err != nil
}

func named(all []lifecycle.Record, name string) (record lifecycle.Record, found bool) {
	at := slices.IndexFunc(all, func(r lifecycle.Record) bool { return r.Name == name })
	if at < 0 {
		return record, false
	}
	return all[at], true
}

func (i *Importer) now() time.Time {
	if i.Now == nil {
		return time.Now().UTC()
	}
	return i.Now().UTC()
}
