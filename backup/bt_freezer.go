package backup

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"sandkeeper/engine"
)

// freezer is a container engine with containers that are paused or not, or gone.
type freezer struct {
	mu     sync.Mutex
	state  map[string]string
	broken map[string]error // by method
	calls  []string
}

func (f *freezer) Inspect(_ context.Context, id string) (engine.Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, found := f.state[id]
	if !found {
		return engine.Container{}, fmt.Errorf("container %q: %w", id, fs.ErrNotExist)
	}
	return engine.Container{ID: id, Name: "name-of-" + id[:2], State: state}, f.broken["inspect"]
}

func (f *freezer) Pause(_ context.Context, id string) error { return f.set("pause", id, "paused") }

func (f *freezer) Unpause(_ context.Context, id string) error { return f.set("unpause", id, "running") }

// now is the state of a container.
func (f *freezer) now(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state[id]
}

func (f *freezer) set(call, id, state string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call+" "+id[:2])
	if err := f.broken[call]; err != nil {
		return err
	}
	if _, found := f.state[id]; !found {
		return fs.ErrNotExist
	}
	f.state[id] = state
	return nil
}

// The full ids of two containers.
const (
	idA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)
