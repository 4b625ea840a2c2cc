package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sandkeeper/internal/text"
)

// operation is one create, delete or reconcile of one sandbox: the entry as it is stored, and the chain that works on
// it.
type operation struct {
	chain    *Chain
	entry    entry
	presence Presence
	listed   Record
	// stored is the id under which the entry was last saved.
	stored string
}

func (c *Chain) operate(e entry) *operation {
	if e.states == nil {
		e.states = map[string]storedState{}
	}
	return &operation{chain: c, entry: e, stored: e.ID}
}

// save stores the entry as it is now.
func (o *operation) save() error {
	if err := o.chain.store.save(o.entry, o.stored); err != nil {
		return err
	}
	o.stored = o.entry.ID
	return nil
}

// enter moves the sandbox to a status and stores that.
func (o *operation) enter(status Status) error {
	o.entry.Status = status
	o.entry.Since = o.chain.now().UTC()
	return o.save()
}

func (o *operation) sandbox() Sandbox {
	return Sandbox{Reference: o.entry.Reference, Presence: o.presence, Labels: maps.Clone(o.listed.Labels), InFlight: o.entry.inFlight()}
}

func (o *operation) state(extension string) *State {
	if stored, ok := o.entry.states[extension]; ok {
		return stored.State.clone()
	}
	return nil
}

// keep puts a replacement state into the entry; nil changes nothing. A version that its own extension could not read
// back is refused.
func (o *operation) keep(link Link, phase Phase, state *State) error {
	if state == nil {
		return nil
	}
	if !slices.Contains(link.Reads, state.SchemaVersion) {
		return &PhaseError{
			Phase: phase, Extension: link.Name, Sandbox: o.entry.Reference, CutOff: true,
			Err: fmt.Errorf("it returned state of schema version %d, but reads only %s", state.SchemaVersion, versions(link.Reads)),
		}
	}

	o.entry.states[link.Name] = storedState{State: *state.clone(), Updated: o.chain.now().UTC()}
	return nil
}

// step is a phase that takes a state and may return another.
type step func(Extension) func(context.Context, Sandbox, *State) (*State, error)

// phase runs one such phase of one extension and keeps, but does not yet store, the state it returned, also beside an
// error.
func (o *operation) phase(ctx context.Context, link Link, phase Phase, of step) error {
	sandbox, state := o.sandbox(), o.state(link.Name)
	got, err := o.chain.run(ctx, call{link: link, phase: phase, sandbox: sandbox, do: func(ctx context.Context) (phaseAnswer, error) {
		next, err := of(link.Extension)(ctx, sandbox, state)
		return phaseAnswer{state: next}, err
	}})
	return errors.Join(err, o.keep(link, phase, got.state))
}

// confirm runs AfterCreateSuccess in reverse order on the extensions that owe it, and stores each result. What fails
// stays owed.
func (o *operation) confirm(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Backward(slices.Clone(o.entry.Owed)) {
		err := o.owed(ctx, name, AfterCreateSuccess, func(e Extension) func(context.Context, Sandbox, *State) (*State, error) {
			return e.AfterCreateSuccess
		})
		if err == nil {
			o.paid(name)
		}
		errs = append(errs, err, o.save())
	}
	return errors.Join(errs...)
}

// paid strikes an extension off those that owe a phase.
func (o *operation) paid(name string) {
	o.entry.Owed = slices.DeleteFunc(o.entry.Owed, func(owed string) bool { return owed == name })
}

// settle runs a releasing phase (AfterCreateFailed, AfterDelete) in reverse order on the extensions that owe it. Each
// one that succeeds loses its state in the same transaction; the record goes with the last. What fails stays owed, for
// the next reconcile.
func (o *operation) settle(ctx context.Context, phase Phase, of step) error {
	var errs []error
	for _, name := range slices.Backward(slices.Clone(o.entry.Owed)) {
		err := o.owed(ctx, name, phase, of)
		if err == nil {
			delete(o.entry.states, name)
			o.paid(name)
		}
		errs = append(errs, err, o.saveOrForget())
	}

	if len(errs) == 0 {
		errs = append(errs, o.saveOrForget())
	}
	return errors.Join(errs...)
}

// owed runs a phase that an extension owes, if it is active and can read its state.
func (o *operation) owed(ctx context.Context, name string, phase Phase, of step) error {
	link, active := o.chain.link(name)
	if !active {
		return inactive(o.entry.Reference, name, phase)
	}
	if state, ok := o.entry.states[name]; ok && !slices.Contains(link.Reads, state.SchemaVersion) {
		return &SchemaError{Sandbox: o.entry.Reference, Extension: name, Version: state.SchemaVersion, Reads: link.Reads}
	}
	return o.phase(ctx, link, phase, of)
}

// saveOrForget stores what is left, or nothing when nothing is owed and no state is left.
func (o *operation) saveOrForget() error {
	if len(o.entry.Owed) > 0 || len(o.entry.states) > 0 {
		return o.save()
	}
	return o.chain.store.remove(o.stored)
}

// inactive is the error for an extension that has work left but is not in the chain.
func inactive(sandbox Reference, extension string, phase Phase) error {
	return fmt.Errorf("sandbox %q: extension %q still has to run %s, but is not active; activate it again, or give its state up with "+
		"`sandkeeper extensions state clear %s %s`", sandbox.label(), extension, phase, text.ShellWord(sandbox.ID), text.ShellWord(extension))
}
