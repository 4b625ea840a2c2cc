package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

var errDiskFull = errors.New("no space left on device")

// full makes the n-th step of the store, and every later one of that transaction, fail once.
type full struct{ at, passed int }

func (f *full) step(string) error {
	if f.passed++; f.passed == f.at {
		return errDiskFull
	}
	return nil
}

// TestEveryFailedWriteIsSeenAndHealed fails the first step of the store, then the second, and so on: the cause is always visible, record and
// states still belong together, and one reconcile on a sound disk brings back "all or nothing".
func TestEveryFailedWriteIsSeenAndHealed(t *testing.T) {
	for n := 1; ; n++ {
		folder := t.TempDir()
		disk := &full{at: n}
		err := liveOn(t, folder, disk)
		point := fmt.Sprintf("failed write %d", n)
		checkAtRest(t, folder, point)
		checkReconciled(t, folder, point)
		if disk.passed < n {
			if err != nil || n < 20 {
				t.Errorf("after %d writes: %v", n-1, err)
			}
			return
		}
		if !errors.Is(err, errDiskFull) {
			t.Errorf("%s is not in the error %v", point, err)
		}
	}
}

// liveOn creates and, when that went through, deletes alpha in the folder, on a failing disk.
func liveOn(t *testing.T, folder string, disk *full) error {
	t.Helper()
	chain, err := worldChain(folder, &points{})
	if err != nil {
		t.Fatal(err)
	}
	defer chain.store.Close()
	chain.store.atWrite = disk.step
	driver := chain.Wrap(&world{folder: folder, points: &points{}})
	record, err := driver.CreateSandbox(t.Context(), Request{Name: "alpha", Gateway: "gw"})
	if record.ID == "" {
		return err
	}
	return errors.Join(err, driver.DeleteSandbox(t.Context(), Reference{ID: record.ID, Name: "alpha", Gateway: "gw"}))
}

// holder is an extension that holds one thing per sandbox in a map, and fails at random.
type holder struct {
	Defaults
	mu    sync.Mutex
	held  map[string]bool
	fails func() error
}

func (h *holder) BeforeCreate(_ context.Context, s Sandbox, _ *Builder) (*State, error) {
	if err := h.fails(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[s.Name] = true
	return textState(s.Name), nil
}

func (h *holder) BeforeDelete(context.Context, Sandbox, *State) (*State, error) {
	return nil, h.fails()
}

func (h *holder) AfterCreateFailed(ctx context.Context, s Sandbox, state *State) (*State, error) {
	return h.AfterDelete(ctx, s, state)
}

func (h *holder) AfterDelete(_ context.Context, s Sandbox, _ *State) (*State, error) {
	if err := h.fails(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, s.Name)
	return nil, nil
}

func (h *holder) Reconcile(_ context.Context, s Sandbox, _ *State) (ReconcileOutcome, error) {
	if s.Presence == Missing {
		return ReconcileOutcome{Authority: Authoritative}, h.fails()
	}
	return ReconcileOutcome{}, nil
}

// flaky is a driver that fails at random, before or after it did what it was asked.
type flaky struct {
	*memory
	fails func() error
}

func (f flaky) CreateSandbox(ctx context.Context, r Request) (Record, error) {
	if err := f.fails(); err != nil {
		return Record{}, err
	}
	return f.memory.CreateSandbox(ctx, r)
}

func (f flaky) DeleteSandbox(ctx context.Context, r Reference) error {
	if err := f.fails(); err != nil {
		return err
	}
	return errors.Join(f.memory.DeleteSandbox(ctx, r), f.fails())
}

// TestRandomLives holds the promise over many random histories: when nothing fails any more, two reconciles later exactly the
// sandboxes that exist are held by every extension, and nothing else is stored.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { randomLife(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

func randomLife(t *testing.T, random *rand.Rand) {
	t.Helper()
	b := newBench(t, "x", "y")
	odds := 4
	var mu sync.Mutex
	fails := func() error {
		mu.Lock()
		defer mu.Unlock()
		if odds > 0 && random.IntN(odds) == 0 {
			return errDenied
		}
		return nil
	}
	holders := []*holder{{held: map[string]bool{}, fails: fails}, {held: map[string]bool{}, fails: fails}}
	for i, h := range holders {
		b.links[i].Extension = h
	}
	driver := b.Wrap(flaky{b.memory, fails})
	steps := rand.New(rand.NewPCG(random.Uint64(), 1)) // of its own: the extensions draw at the same time
	for range 40 {
		randomStep(t, b, driver, steps)
	}
	odds = 0
	b.reconcile(t)
	b.reconcile(t)
	want := slices.Sorted(mapKeys(b.memory.sandboxes, func(id string) string { return id[len("id-"):] }))
	for i, h := range holders {
		same(t, fmt.Sprint("held by ", i), slices.Sorted(mapKeys(h.held, func(name string) string { return name })), want)
	}
	tracked, err := b.store.Tracked()
	same(t, "error", err, nil)
	same(t, "tracked", len(tracked), len(want))
}

// randomStep creates, deletes, loses or reconciles one of three sandboxes. A name is only created when nothing of it is left, as an
// upgrade would.
func randomStep(t *testing.T, b *bench, driver Driver, random *rand.Rand) {
	t.Helper()
	name := string(rune('p' + random.IntN(3)))
	ref := Reference{ID: "id-" + name, Name: name, Gateway: "gw"}
	switch random.IntN(5) {
	case 0, 1:
		tracked, err := b.store.Tracked()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(tracked, func(e Tracked) bool { return e.Name == name }) {
			_, _ = driver.CreateSandbox(t.Context(), Request{Name: name, Gateway: "gw"})
		}
	case 2:
		_ = driver.DeleteSandbox(t.Context(), ref)
	case 3:
		delete(b.memory.sandboxes, ref.ID)
	case 4:
		b.reconcile(t)
	}
}

func mapKeys[V any](m map[string]V, of func(string) string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(of(key)) {
				return
			}
		}
	}
}
