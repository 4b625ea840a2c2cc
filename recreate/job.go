package recreate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sandkeeper/driver"
	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
)

// job is one order under way.
type job struct {
	*Maker
	Order
	Entry
	driver  lifecycle.Driver
	record  *journal.Record[Entry] // nil while only looking
	outcome Outcome
	empty   bool // nothing of it is left: its record may go
	earlier bool // an earlier call has made the sandbox
}

// begin takes the sandbox's record, and looks what is there.
func (m *Maker) begin(ctx context.Context, o Order) (*job, error) {
	j := m.job(o)
	record, err := Unfinished(m.State).Own(ctx, j.key())
	if err != nil {
		return nil, fmt.Errorf("sandbox %q: %w", j.Address(), err)
	}
	j.record = record
	if record.Found {
		j.Entry = record.Value
	}
	err = j.recognise(ctx)
	if _, exists := errors.AsType[*ExistsError](err); exists && record.Found {
		err = errors.Join(err, record.Remove()) // what it speaks of is not there any more
	}
	if err != nil {
		return nil, errors.Join(err, record.Close())
	}
	j.Entry.Again = cmp.Or(j.Order.Again, j.Entry.Again)
	if j.outcome.Resumed = j.Step != ""; j.outcome.Resumed {
		return j, nil
	}
	if err := errors.Join(j.lacks(ctx), j.ask()); err != nil {
		return nil, errors.Join(err, record.Close())
	}
	return j, nil
}

// look is begin without taking anything.
func (m *Maker) look(ctx context.Context, o Order) (*job, error) {
	j := m.job(o)
	seen, found, err := Unfinished(m.State).Look(j.key())
	switch {
	case err != nil:
		return nil, err
	case found && seen.Owner != nil:
		return nil, fmt.Errorf("sandbox %q: %w", j.Address(), seen.Owner)
	case found && seen.Err != nil:
		return nil, seen.Err
	case found:
		j.Entry = seen.Value
	}
	return j, j.recognise(ctx)
}

func (m *Maker) job(o Order) *job {
	j := &job{Maker: m, Order: o, outcome: Outcome{Withheld: o.Recipe.Withheld}}
	j.Entry = j.fresh()
	return j
}

// fresh is the record of an order that nobody has begun.
func (j *job) fresh() Entry {
	r := j.Recipe
	return Entry{
		Name: r.Name, Gateway: r.Gateway, Workspace: r.Workspace, Root: j.Store.Root(), Backup: j.Order.Backup.ID, Again: j.Order.Again, Begun: j.now().UTC(),
	}
}

func (j *job) at() driver.Place { return driver.Place{Gateway: j.Gateway, Workspace: j.Workspace} }

// open connects to the gateway.
func (j *job) open(ctx context.Context) error {
	bare, err := j.Driver(ctx, j.at())
	if err != nil {
		return fmt.Errorf("gateway %q: %w", j.Gateway, err)
	}
	j.driver = bare
	if j.Chain != nil {
		j.driver = j.Chain.Wrap(bare)
	}
	return nil
}

// recognise compares what the journal says with what the gateway lists.
func (j *job) recognise(ctx context.Context) error {
	if err := j.open(ctx); err != nil {
		return err
	}
	there, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	same := j.Entry.Backup == j.Order.Backup.ID && j.Root == j.Store.Root()
	switch {
	case !found && !same: // what was begun from another backup is gone
		j.Entry = j.fresh()
	case !found && j.Step != "": // it was not made yet, or is gone again
		j.NewID, j.Step = "", StepCreating
	case found && !j.ours(there):
		return &ExistsError{Sandbox: j.Sandbox(), Phase: there.Phase, Reason: there.Reason}
	case found && !same:
		return &UnfinishedError{Entry: j.Entry}
	case found:
		j.NewID, j.earlier = there.ID, true
	}

	j.outcome.ID = j.NewID
	return nil
}

// ours reports whether a listed sandbox is what an earlier call has made.
func (j *job) ours(there lifecycle.Record) bool {
	if j.NewID != "" {
		return there.ID == j.NewID
	}
	return j.Step == StepCreating && j.asAsked(there)
}

// listed is the sandbox of that name as its gateway has it now.
func (j *job) listed(ctx context.Context) (record lifecycle.Record, found bool, err error) {
	records, err := j.driver.ListSandboxes(ctx)
	if err != nil {
		return record, false, fmt.Errorf("listing the sandboxes of gateway %q: %w", j.Gateway, err)
	}
	for _, r := range records {
		if r.Name == j.Name {
			return r, true, nil
		}
	}
	return record, false, nil
}

// asAsked reports whether a sandbox whose creation nobody saw the answer to is what was asked for: a run was killed
// while it asked, and before that there was none of that name.
func (j *job) asAsked(there lifecycle.Record) bool {
	wanted, err := driver.DecodeRecipe(j.Request.Spec)
	if err != nil {
		return false
	}
	got := driver.Recipe{Name: there.Name, Spec: there.Spec}
	env, err := got.Environment()
	if err != nil || got.ImageInSpec() != wanted.ImageInSpec() {
		return false
	}
	for name, value := range j.Request.Env { // extensions may have added more
		if env[name] != value {
			return false
		}
	}

	labels := maps.Clone(there.Labels)
	maps.DeleteFunc(labels, func(name, value string) bool { return j.Request.Labels[name] != value })
	return there.Labels == nil || len(labels) == len(j.Request.Labels)
}

// lacks looks for what the gateway does not have and the recipe needs.
func (j *job) lacks(ctx context.Context) error {
	if j.Providers == nil || len(j.Recipe.Providers) == 0 {
		return nil
	}
	missing, err := j.Providers(ctx, j.at(), j.Recipe.Providers)
	if err == nil && len(missing) > 0 {
		err = &MissingError{Name: j.Address(), Gateway: j.Gateway, Providers: missing}
	}
	return err
}

// ask makes the request: the recipe's, without what extensions had added to the sandbox that is gone.
func (j *job) ask() error {
	request, err := j.Recipe.Request()
	if err != nil {
		return err
	}
	request = request.Without(j.Recipe.Added)
	request.Home = j.Order.Backup.Manifest.Home
	if j.Chain != nil {
		for _, old := range j.gone() {
			if request, err = j.Chain.Baseline(request, old); err != nil {
				return err
			}
		}
	}

	j.Request = request
	return nil
}

// gone are the sandboxes that this one takes the place of: the one of the recipe and the one of the backup, which
// usually is the same.
func (j *job) gone() (all []lifecycle.Reference) {
	for _, id := range []string{j.Recipe.SandboxID, j.Order.Backup.Manifest.SandboxID} {
		old := lifecycle.Reference{ID: id, Name: j.Name, Gateway: j.Gateway}
		if id != "" && !slices.Contains(all, old) {
			all = append(all, old)
		}
	}
	return all
}

// enter writes the step down, then says it.
func (j *job) enter(step Step) error {
	j.Step, j.Updated = step, j.now().UTC()
	if err := j.record.Put(j.Entry); err != nil {
		return err
	}
	if j.Progress != nil {
		j.Progress(j.Address(), step)
	}
	return nil
}

// done forgets the record: the sandbox is whole.
func (j *job) done() error {
	j.outcome.Running = j.Running
	return j.record.Remove()
}

// end lets go of the record, and forgets it where nothing was made.
func (j *job) end(err error) error {
	if err != nil && j.empty {
		err = errors.Join(err, j.record.Remove())
	}
	return errors.Join(err, j.record.Close())
}
