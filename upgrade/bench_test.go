package upgrade

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

// counted is an engine whose changes are points at which the process can die.
type counted struct {
	*engine.Engine
	point func(string)
}

func (c counted) Commit(ctx context.Context, id, ref string, keep engine.Keep) (string, error) {
	c.point("before commit")
	defer c.point("after commit")
	return c.Engine.Commit(ctx, id, ref, keep)
}

func (c counted) RemoveImage(ctx context.Context, ref string) error {
	c.point("before rmi")
	defer c.point("after rmi")
	return c.Engine.RemoveImage(ctx, ref)
}

func (c counted) Pull(ctx context.Context, ref string, o engine.PullOptions) (engine.Pulled, error) {
	c.point("before pull")
	defer c.point("after pull")
	return c.Engine.Pull(ctx, ref, o)
}

func (c counted) Start(ctx context.Context, id string) error {
	c.point("before start")
	defer c.point("after start")
	return c.Engine.Start(ctx, id)
}

func (c counted) Stop(ctx context.Context, id string) error {
	c.point("before stop")
	defer c.point("after stop")
	return c.Engine.Stop(ctx, id)
}

// steps is what a run went through.
type steps struct {
	mu   sync.Mutex
	seen []Step
}

func (s *steps) add(_ string, step Step, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, step)
}

// fitted is an upgrader for the world, with its journal and its backups in folder.
type fitted struct {
	*Upgrader
	backups *Backups
	engine  *engine.Engine
	steps   steps

	chainStore *lifecycle.Store // of the extensions, once there are some
	held       *store.Lock      // that another run has, once there is one
}

// engineTimeout is how long a request may take: a process that a history has let die must not go on when a limit passes.
const engineTimeout = time.Hour

func fit(ctx context.Context, folder, engineHost, socket string, point func(string)) (*fitted, error) {
	engine, _ := engine.Dial(ctx, engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + engineHost}), Timeout: engineTimeout})
	store, err := store.Open(filepath.Join(folder, "backups"), store.Options{})
	if err != nil {
		return nil, err
	}
	journal, err := OpenJournal(filepath.Join(folder, "state"), time.Now)
	if err != nil {
		return nil, err
	}
	f := &fitted{engine: engine}
	f.backups = &Backups{
		Store: store, Engine: engine, LockWait: 5 * time.Second, Restoring: filepath.Join(folder, "restoring"),
		Run: func() *backup.Options { return &backup.Options{Store: store, Engine: engine, PauseLimit: -1} },
	}
	gateway := &remote{socket: socket, point: point}
	f.Upgrader = &Upgrader{
		Journal: journal, Engine: counted{engine, point}, Content: f.backups, Recipes: gateway, Switch: gateway,
		Driver: func(context.Context, driver.Place) (lifecycle.Driver, error) { return gateway, nil },
		Lister: func(context.Context, string) (lifecycle.Driver, error) { return gateway, nil },
		Settle: 10 * time.Millisecond, ReadyLimit: 10 * time.Second, Poll: 2 * time.Millisecond,
	}
	f.Progress = func(name string, step Step, detail string) {
		f.steps.add(name, step, detail)
		point("step " + string(step))
	}
	return f, nil
}

func nowhere(string) {}

func (w *world) fit(t testing.TB) *fitted {
	t.Helper()
	f, err := fit(t.Context(), t.TempDir(), w.engine.Host(), w.socket, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Journal.Close() })
	return f
}

// targets are the sandboxes of the world as an inventory and a check give them.
func (f *fitted) targets(ctx context.Context, names ...string) ([]Target, error) {
	containers, err := f.engine.Sandboxes(ctx)
	var targets []Target
	for _, c := range containers {
		if !slices.Contains(names, c.SandboxName) {
			continue
		}
		sb := sandbox.Sandbox{Name: c.SandboxName, Gateway: "gw", ID: c.SandboxID, Listed: true, Container: &c, Standing: sandbox.Ready, Route: sandbox.ByContainer}
		if !c.Running() {
			sb.Standing = sandbox.Stopped
		}
		targets = append(targets, Target{Sandbox: sb, Way: ByRecipe})
	}
	return targets, err
}

// upgrade plans and executes.
func (f *fitted) upgrade(ctx context.Context, names ...string) ([]Outcome, error) {
	targets, err := f.targets(ctx, names...)
	if err != nil {
		return nil, err
	}
	ready, refused, err := f.Preconditions(ctx, targets)
	return append(refused, f.Execute(ctx, ready)...), err
}

// settled is what a finished upgrade may leave: one listed sandbox, one container that passes for it, the files of want below
// /sandbox, the state it had before, and nothing in the journal.
func (w *world) settled(t *testing.T, f *fitted, name, state string) dockertest.Container {
	t.Helper()
	w.mu.Lock()
	listed := w.list()
	w.mu.Unlock()
	for _, r := range listed {
		if r.Labels[driver.LabelRehearsal] != "" || strings.HasPrefix(r.Name, "rehearse-") {
			t.Errorf("a rehearsal is left: %+v", r)
		}
	}
	named := slices.DeleteFunc(listed, func(r lifecycle.Record) bool { return r.Name != name })
	if len(named) != 1 {
		t.Fatalf("the gateway lists %d sandboxes %q, want one: %+v", len(named), name, named)
	}
	var of []dockertest.Container
	for _, c := range w.containers() {
		if c.Labels[engine.LabelSandboxName] == name {
			of = append(of, c)
		}
	}
	if len(of) != 1 || of[0].Labels[engine.LabelSandboxID] != named[0].ID {
		t.Fatalf("%d containers pass for sandbox %q, want one with id %s: %+v", len(of), name, named[0].ID, of)
	}
	if of[0].State != state {
		t.Errorf("container of %q is %s, want %s", name, of[0].State, state)
	}
	if diff := cmp.Diff(homeOf(homeDir()), homeOf(of[0].Files)); diff != "" {
		t.Errorf("files of %q (-before +now):\n%s", name, diff)
	}
	for _, ref := range w.engine.References() {
		if strings.HasPrefix(ref, rollbackPrefix+"rehearse-") {
			t.Errorf("the image of a rehearsal is left: %s", ref)
		}
	}
	if entries, err := f.Journal.Entries(); err != nil || len(entries) != 0 {
		t.Errorf("the journal still has %+v, %v", entries, err)
	}
	if left, err := f.backups.Store.Interrupted(); err != nil || len(left) != 0 {
		t.Errorf("its restores have left %q, %v", left, err)
	}
	return of[0]
}

// homeOf is what counts of the files below /sandbox.
func homeOf(files []dockertest.File) map[string]string {
	found := map[string]string{}
	for _, f := range files {
		if f.Path == "/sandbox" || len(f.Path) > 9 && f.Path[:9] == "/sandbox/" {
			found[f.Path] = string(max(f.Type, '0')) + string(f.Data) + f.Link
		}
	}
	return found
}
