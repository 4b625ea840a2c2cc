package migrate

import (
	"context"
	"slices"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Engine is what a migration asks of a container engine; *engine.Engine is one.
type Engine interface {
	Identity(ctx context.Context) (string, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Stop(ctx context.Context, id string) error
}

// Exporter saves the set of one gateway. Save and EngineOf must be there.
type Exporter struct {
	Root string // of the store
	Tool string
	// Save makes a backup and reads every byte of it back.
	Save func(ctx context.Context, sb sandbox.Sandbox) (store.Backup, error)
	// Stop stops a sandbox through its gateway; nil: the container is stopped by its engine, for no gateway knows it.
	Stop func(ctx context.Context, sb sandbox.Sandbox) error
	// EngineOf is the engine that runs a container; nil when there is none.
	EngineOf func(engine.Container) Engine
	// Beside reads what the gateway keeps of a sandbox beside its recipe; nil: no gateway is asked.
	Beside func(ctx context.Context, sb sandbox.Sandbox) (openshell.Beside, error)
	// WithRecipe is the newest backup of a sandbox that has its recipe; "" when none has.
	WithRecipe func(store.Series) string
	Now        func() time.Time
	// Progress is told each step before its effect.
	Progress func(address, step string)
}

// Input is what is exported.
type Input struct {
	Facts
	Asked      bool                // the old gateway was asked; else what an earlier run has heard of it stays
	Workspaces []string            // those without a sandbox as well
	Settings   []openshell.Setting // of the whole gateway
	Files      map[string][]byte   // beside the set
	State      string              // backup of the gateway's own state; StateWhy says why there is none
	StateWhy   string
}

// exporting is one run under way.
type exporting struct {
	*Exporter
	set     *Set
	outcome []ExportedMember

	warnings []string
}

// Export saves every sandbox, then writes the set, and only then stops what runs, each sandbox once it is saved, and
// saves it again: what it wrote meanwhile is in the set as well. One that fails costs only itself, and is not stopped.
// The run may be repeated: what an earlier one has stopped is known to have run before.
func (e *Exporter) Export(ctx context.Context, in Input) (result Export, err error) {
	run := &exporting{Exporter: e, set: in.begin(e.Tool)}
	all := in.moving()
	for _, seen := range all {
		run.save(ctx, in, seen)
	}
	run.keepEarlier(ctx, in)
	result = Export{Gateway: in.Gateway, State: in.State, Providers: run.set.Providers, Sandboxes: []ExportedMember{}, Files: []string{}}
	err = context.Cause(ctx)
	if err == nil {
		err = run.publish(in)
	}
	if err != nil {
		result = run.ended(result, err)
		result.Set = "" // this run has written none
		return result, err
	}
	for i, seen := range all {
		if err = context.Cause(ctx); err != nil {
			break
		}
		run.settle(ctx, seen, i)
		if err = run.write(); err != nil {
			run.unwritten(i, err)
			break
		}
	}

	return run.ended(result, err), err
}

// begin is a set without sandboxes.
func (in Input) begin(tool string) *Set {
	s := &Set{
		Gateway: in.Gateway, Version: in.Running.String(), Tool: tool, State: in.State, StateWhy: in.StateWhy,
		Workspaces: slices.Clone(in.Workspaces), Settings: slices.Clone(in.Settings), Providers: slices.Clone(in.Providers), Sandboxes: []Member{}, Files: []string{},
	}
	if s.Providers == nil {
		s.Providers = []Provider{}
	}
	in.keepWhole(s)
	return s
}

// publish writes the files and the set, before anything is stopped.
func (e *exporting) publish(in Input) error {
	for name, content := range in.Files {
		if err := e.set.file(e.Root, name, content); err != nil {
			return err
		}
		e.set.Files = append(e.set.Files, name)
	}

	slices.Sort(e.set.Files)
	return e.write()
}

func (e *exporting) write() error {
	e.set.Updated = time.Now().UTC()
	if e.Now != nil {
		e.set.Updated = e.Now().UTC()
	}
	return e.set.write(e.Root)
}

func (e *exporting) say(m Member, step string) {
	if e.Progress != nil {
		e.Progress(m.Address(), step)
	}
}
