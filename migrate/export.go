package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/driver"
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
	// WithRecipe is the newest backup of a sandbox that has its recipe; "" when none has.
	WithRecipe func(store.Series) string
	Now        func() time.Time
	// Progress is told each step before its effect.
	Progress func(address, step string)
}

// Status is what became of one sandbox; the values are part of the JSON contract.
type Status string

// The outcomes of an export.
const (
	Exported Status = "exported"
	Failed   Status = "failed"
)

// Export is the result of one run. Its JSON is a contract: keys are only added.
type Export struct {
	Set       string           `json:"set"` // the file
	Gateway   string           `json:"gateway"`
	Totals    ExportTotals     `json:"totals"`
	Sandboxes []ExportedMember `json:"sandboxes"`
	State     string           `json:"state"` // backup of the gateway's own state; "" none
	Files     []string         `json:"files"`
	Providers []Provider       `json:"providers"` // to be entered again
	Warnings  []string         `json:"warnings,omitempty"`
}

// ExportTotals count sandboxes: Exported + Failed is Total.
type ExportTotals struct {
	Total    int `json:"total"`
	Exported int `json:"exported"`
	Failed   int `json:"failed"`
}

// ExportedMember is what became of one sandbox.
type ExportedMember struct {
	Name       string `json:"name"`
	Workspace  string `json:"workspace"`
	Status     Status `json:"status"`
	Reason     string `json:"reason"`
	Backup     string `json:"backup"`
	Container  string `json:"container"`
	WasRunning bool   `json:"wasRunning"`
	Stopped    bool   `json:"stopped"`
	Lost       []Item `json:"notCarried"`
	Refused    []Item `json:"refused"`

	err error
}

// Err is why it failed, with its type.
func (m ExportedMember) Err() error { return m.err }

// Input is what is exported.
type Input struct {
	Facts
	Workspaces []string
	Files      map[string][]byte // beside the set
	State      string            // backup of the gateway's own state; StateWhy says why there is none
	StateWhy   string
}

// exporting is one run under way.
type exporting struct {
	*Exporter
	set     *Set
	outcome []ExportedMember
}

// Export saves every sandbox, then writes the set, and only then stops what runs, each sandbox once it is saved, and saves it again: what
// it wrote meanwhile is in the set as well. One that fails costs only itself, and is not stopped. The run may be repeated: what an earlier
// one has stopped is known to have run before.
func (e *Exporter) Export(ctx context.Context, in Input) (result Export, err error) {
	run := &exporting{Exporter: e, set: in.begin(e.Tool)}
	all := in.moving()
	for _, seen := range all {
		run.save(ctx, in, seen)
	}
	run.keepEarlier(ctx, in)
	result = Export{Gateway: in.Gateway, State: in.State, Providers: run.set.Providers, Sandboxes: []ExportedMember{}, Files: []string{}}
	if err := context.Cause(ctx); err != nil {
		return result, err
	}
	if err := run.publish(in); err != nil {
		return result, err
	}
	for i, seen := range all {
		if err := context.Cause(ctx); err != nil {
			return run.ended(result), err
		}
		run.settle(ctx, seen, i)
		if err := run.write(); err != nil {
			return run.ended(result), err
		}
	}
	return run.ended(result), nil
}

// begin is a set without sandboxes.
func (in Input) begin(tool string) *Set {
	s := &Set{
		Gateway: in.Gateway, Version: in.Running.String(), Tool: tool, State: in.State, StateWhy: in.StateWhy,
		Workspaces: slices.Clone(in.Workspaces), Providers: slices.Clone(in.Providers), Sandboxes: []Member{}, Files: []string{},
	}
	if s.Providers == nil {
		s.Providers = []Provider{}
	}
	return s
}

// keepEarlier keeps what an earlier run has exported and this one does not see: on the new gateway, where its sandbox may be by now, and
// everywhere as long as its old container is there. One that was deleted on the old gateway since is in the set no longer.
func (e *exporting) keepEarlier(ctx context.Context, in Input) {
	if in.Set == nil {
		return
	}
	for _, m := range in.Set.Sandboxes {
		if e.set.member(m.Workspace, m.Name) != nil {
			continue
		}
		there := in.new()
		if on := e.EngineOf(engine.Container{ID: m.Container, Host: m.Host}); !there && on != nil && m.Container != "" {
			_, err := on.Inspect(ctx, m.Container)
			there = !errors.Is(err, fs.ErrNotExist)
		}
		if there {
			e.set.Sandboxes = append(e.set.Sandboxes, m)
		}
	}
}

// save makes the first backup of one sandbox, while it runs on.
func (e *exporting) save(ctx context.Context, in Input, seen Seen) {
	m, plan := memberOf(seen), judge(seen)
	err := context.Cause(ctx)
	if err == nil {
		err = e.look(ctx, &m, seen.Sandbox)
	}
	if err == nil {
		m.carryOver(in.Set.member(m.Workspace, m.Name), in.new())
		err = e.first(ctx, &m, seen.Sandbox)
	}
	outcome := ExportedMember{
		Name: m.Name, Workspace: m.Workspace, Status: Failed, Backup: m.Backup, Container: m.ContainerName, WasRunning: m.Running,
		Lost: plan.NotCarried, Refused: plan.Refused,
	}
	if err != nil {
		outcome.err, outcome.Reason, m.Problem = err, err.Error(), err.Error()
	}
	e.set.Sandboxes, e.outcome = append(e.set.Sandboxes, m), append(e.outcome, outcome)
}

func (e *exporting) first(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	e.say(*m, "saving")
	saved, err := e.Save(ctx, sb)
	if err == nil {
		e.keep(m, saved)
	}
	return err
}

// look sees how the container is before anything is done to it.
func (e *exporting) look(ctx context.Context, m *Member, sb sandbox.Sandbox) (err error) {
	on := e.engineOf(sb)
	if on == nil {
		return nil
	}
	if m.Engine, err = on.Identity(ctx); err != nil {
		return err
	}
	c, err := on.Inspect(ctx, sb.Container.ID)
	m.Started = c.Started
	return err
}

func (e *exporting) engineOf(sb sandbox.Sandbox) Engine {
	if sb.Container == nil {
		return nil
	}
	return e.EngineOf(*sb.Container)
}

// keep notes a backup as the newest of the sandbox.
func (e *exporting) keep(m *Member, saved store.Backup) {
	m.Backup, m.Home, m.RecipeIn = saved.ID, saved.Manifest.Home, ""
	if saved.Manifest.RecipeFile != nil {
		m.RecipeIn = saved.ID
	} else if e.WithRecipe != nil {
		m.RecipeIn = e.WithRecipe(e.set.Series(*m))
	}
	if m.Image == "" {
		m.Image = saved.Manifest.Image.Reference
	}
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

// settle stops one sandbox and saves what it has written until then.
func (e *exporting) settle(ctx context.Context, seen Seen, i int) {
	m, outcome := e.set.member(seen.Sandbox.Workspace, seen.Sandbox.Name), &e.outcome[i]
	if outcome.err != nil {
		return
	}
	err := e.last(ctx, m, seen.Sandbox)
	outcome.Backup, outcome.Stopped = m.Backup, m.Stopped
	if err != nil {
		m.Problem = err.Error()
		outcome.err, outcome.Reason = err, err.Error()
		return
	}
	m.Final, m.Problem = true, ""
	outcome.Status = Exported
}

// last stops the sandbox, proves it, saves it once more, and proves that it was not started meanwhile. Ctrl-C does not cut the stop short:
// one that was asked for comes about.
func (e *exporting) last(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	on := e.engineOf(sb)
	if on == nil {
		return e.lastUnseen(ctx, m, sb)
	}
	before, err := on.Inspect(ctx, sb.Container.ID)
	if err != nil {
		return err
	}
	ran := before.Running() || before.Paused()
	if ran {
		e.say(*m, "stopping")
		if err := e.stop(context.WithoutCancel(ctx), on, sb); err != nil {
			return err
		}
	}
	stopped, err := stands(ctx, on, sb)
	if err != nil {
		return err
	}
	m.Stopped, m.Started = true, stopped.Started
	e.say(*m, "saving what it wrote until it stopped")
	saved, err := e.Save(ctx, asStopped(sb, stopped))
	if err != nil {
		return fmt.Errorf("it is stopped, and what it wrote since backup %s is in its container only: %w", m.Backup, err)
	}
	e.keep(m, saved)
	after, err := stands(ctx, on, sb)
	if err == nil && !after.Started.Equal(stopped.Started) {
		err = fmt.Errorf("container %q was started while it was saved", sb.Container.Name)
	}
	return err
}

// lastUnseen stops a sandbox that has no container here. What it wrote after its backup is not in the set.
func (e *exporting) lastUnseen(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	if e.Stop == nil {
		return errors.New("it has no container on this host, and no gateway is asked")
	}
	e.say(*m, "stopping")
	if err := e.Stop(context.WithoutCancel(ctx), sb); err != nil {
		return err
	}
	m.Stopped = true
	return nil
}

// stop stops a sandbox through its gateway. One that the gateway does not stop, because it is too old for it or finds it in a phase that
// leads nowhere, is stopped by the engine: with its restart policy (unless-stopped) it stays so.
func (e *exporting) stop(ctx context.Context, on Engine, sb sandbox.Sandbox) error {
	if e.Stop != nil {
		err := e.Stop(ctx, sb)
		if err != nil && !errors.Is(err, openshell.ErrUnsupported) && !errors.Is(err, driver.ErrPhase) {
			return err
		}
	}
	c, err := on.Inspect(ctx, sb.Container.ID)
	if err != nil || !c.Running() && !c.Paused() {
		return err
	}
	return on.Stop(ctx, sb.Container.ID)
}

// stands proves that a container does not run.
func stands(ctx context.Context, on Engine, sb sandbox.Sandbox) (engine.Container, error) {
	c, err := on.Inspect(ctx, sb.Container.ID)
	if err == nil && (c.Running() || c.Paused()) {
		err = fmt.Errorf("container %q is %s although it was stopped", sb.Container.Name, c.State)
	}
	return c, err
}

func asStopped(sb sandbox.Sandbox, c engine.Container) sandbox.Sandbox {
	sb.Container, sb.Standing, sb.Phase = &c, sandbox.Stopped, "Stopped"
	return sb
}

func (e *exporting) say(m Member, step string) {
	if e.Progress != nil {
		e.Progress(m.Address(), step)
	}
}

// ended completes the result.
func (e *exporting) ended(result Export) Export {
	result.Set, result.Files, result.Sandboxes = SetPath(e.Root, e.set.Gateway), e.set.Files, e.outcome
	result.Totals.Total = len(e.outcome)
	for _, m := range e.outcome {
		if m.Status == Exported {
			result.Totals.Exported++
		}
	}
	result.Totals.Failed = result.Totals.Total - result.Totals.Exported
	return result
}

// memberOf is what is known of a sandbox before it is saved.
func memberOf(seen Seen) Member {
	sb := seen.Sandbox
	m := Member{Name: sb.Name, Workspace: sb.Workspace, ID: sb.ID, Home: seen.Home, Running: sb.Standing == sandbox.Ready}
	if sb.Container != nil {
		m.Container, m.ContainerName, m.Running = sb.Container.ID, sb.Container.Name, sb.Container.Running() || sb.Container.Paused()
		m.Image, m.Host = sb.Container.Image, sb.Container.Host
	}
	if seen.Recipe != nil {
		m.Labels, m.Providers, m.Image = seen.Recipe.Labels, seen.Recipe.Providers, seen.Recipe.Image
	}
	return m
}

// carryOver takes from the set of an earlier run that the sandbox ran before that run stopped it: if nobody has started it since, and on
// the new gateway in any case, for there an old container has no business to run.
func (m *Member) carryOver(earlier *Member, moved bool) {
	if earlier == nil || m.Running || earlier.ID != m.ID || earlier.Container != m.Container {
		return
	}
	if moved || m.Container == "" && earlier.Stopped || m.Container != "" && earlier.Started.Equal(m.Started) {
		m.Running = earlier.Running
	}
}
