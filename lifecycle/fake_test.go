package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// memory is a driver whose gateway is a map.
type memory struct {
	mu        sync.Mutex
	log       *log
	sandboxes map[string]Record
	requests  []Request
	createErr error
	deleteErr error
	listErr   error
	anonymous bool // its records have no labels
}

func newMemory(l *log) *memory { return &memory{log: l, sandboxes: map[string]Record{}} }

func (m *memory) CreateSandbox(_ context.Context, r Request) (Record, error) {
	m.log.add("driver create %s", r.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r)
	if m.createErr != nil {
		return Record{}, m.createErr
	}
	record := Record{ID: "id-" + r.Name, Name: r.Name, Gateway: r.Gateway, Labels: r.Labels, Phase: "Ready"}
	if m.anonymous {
		record.Labels = nil
	}
	m.sandboxes[record.ID] = record
	return record, nil
}

func (m *memory) DeleteSandbox(_ context.Context, r Reference) error {
	m.log.add("driver delete %s", r.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deleteErr != nil {
		return m.deleteErr
	}
	delete(m.sandboxes, r.ID)
	return nil
}

func (m *memory) ListSandboxes(context.Context) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var records []Record
	for _, r := range m.sandboxes {
		records = append(records, r)
	}
	return records, m.listErr
}

func (m *memory) WatchSandboxes(context.Context, func(Change) error) error {
	return errors.New("watched")
}

// log is what happened, in order.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// scripted is an extension that logs each phase with the state it was handed, and does what the test puts into on.
type scripted struct {
	name string
	log  *log
	on   map[Phase]func(ctx context.Context, s Sandbox, add *Builder) (*State, error)
	see  func(Sandbox, *State) (ReconcileOutcome, error)
}

func (e *scripted) act(ctx context.Context, p Phase, s Sandbox, state *State, add *Builder) (*State, error) {
	had := "-"
	if state != nil {
		had = string(state.Payload)
	}
	e.log.add("%s %s %s", e.name, p, had)
	if on := e.on[p]; on != nil {
		return on(ctx, s, add)
	}
	return nil, nil
}

func (e *scripted) BeforeCreate(ctx context.Context, s Sandbox, add *Builder) (*State, error) {
	next, err := e.act(ctx, BeforeCreate, s, nil, add)
	if next == nil && err == nil {
		next = textState(e.name)
	}
	return next, err
}

func (e *scripted) AfterCreateSuccess(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return e.act(ctx, AfterCreateSuccess, s, state, nil)
}

func (e *scripted) AfterCreateFailed(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return e.act(ctx, AfterCreateFailed, s, state, nil)
}

func (e *scripted) BeforeDelete(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return e.act(ctx, BeforeDelete, s, state, nil)
}

func (e *scripted) AfterDelete(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return e.act(ctx, AfterDelete, s, state, nil)
}

func (e *scripted) Reconcile(ctx context.Context, s Sandbox, state *State) (ReconcileOutcome, error) {
	_, err := e.act(ctx, Reconcile, s, state, nil)
	if err == nil && e.see != nil {
		return e.see(s, state)
	}
	return ReconcileOutcome{}, err
}

func textState(payload string) *State { return &State{SchemaVersion: 1, Payload: []byte(payload)} }

// bench is a chain of scripted extensions around a memory driver, on a store in a temporary folder.
type bench struct {
	*Chain
	log    *log
	memory *memory
	driver Driver
	ext    map[string]*scripted
	sink   *sink
	path   string
}

func newBench(t *testing.T, names ...string) *bench {
	t.Helper()
	b := &bench{log: &log{}, ext: map[string]*scripted{}, sink: &sink{}, path: filepath.Join(t.TempDir(), "state", "extensions.db")}
	b.memory = newMemory(b.log)
	for _, name := range names {
		b.ext[name] = &scripted{name: name, log: b.log, on: map[Phase]func(context.Context, Sandbox, *Builder) (*State, error){}}
	}
	b.open(t, names...)
	return b
}

// open makes the chain anew, as a restarted process would.
func (b *bench) open(t *testing.T, names ...string) {
	t.Helper()
	if b.Chain != nil {
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	store, err := OpenStore(b.path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	store.db.NoSync = true // these tests do not cut the power; the shared disk is slow
	t.Cleanup(func() { _ = store.Close() })
	links := make([]Link, len(names))
	for i, name := range names {
		links[i] = Link{Name: name, Extension: b.ext[name], Reads: []uint32{1}}
	}
	if b.Chain, err = NewChain(Options{Links: links, Store: store, Audit: b.sink, Warn: func(err error) { t.Error(err) }}); err != nil {
		t.Fatal(err)
	}
	b.driver = b.Wrap(b.memory)
}

func (b *bench) fail(name string, phase Phase, err error) {
	b.ext[name].on[phase] = func(context.Context, Sandbox, *Builder) (*State, error) { return nil, err }
}

func (b *bench) create(t *testing.T, name string) (Record, error) {
	t.Helper()
	return b.driver.CreateSandbox(t.Context(), Request{Name: name, Gateway: "gw"})
}

func (b *bench) mustCreate(t *testing.T, name string) Record {
	t.Helper()
	record, err := b.create(t, name)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func (b *bench) reconcile(t *testing.T) []ReconcileReport {
	t.Helper()
	reports, err := b.Reconcile(t.Context(), map[string]Driver{"gw": b.memory})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

// stored is "id status extension=payload …" of everything in the store.
func (b *bench) stored(t *testing.T) []string {
	t.Helper()
	entries, err := b.store.all()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, e := range entries {
		line := e.ID + " " + string(e.Status)
		for _, name := range slices.Sorted(keys(e.states)) {
			line += " " + name + "=" + string(e.states[name].Payload)
		}
		lines = append(lines, line)
	}
	return lines
}

func keys(m map[string]storedState) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// sink keeps events.
type sink struct {
	mu     sync.Mutex
	events []Event
}

func (s *sink) Write(_ context.Context, e Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return nil
}

// closing takes the store away in the middle of a creation.
type closing struct {
	*memory
	store *Store
}

func (c closing) CreateSandbox(ctx context.Context, r Request) (Record, error) {
	record, err := c.memory.CreateSandbox(ctx, r)
	return record, errors.Join(err, c.store.Close())
}
