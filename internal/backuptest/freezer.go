package backuptest

import (
	"context"
	"io/fs"
	"sync"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

// Freezer is a container engine with containers that are paused or not, or gone.
type Freezer struct {
	mu     sync.Mutex
	State  map[string]string
	Broken map[string]error // by method
	Calls  []string
	Called func(call string) // told of a call before it does anything
}

// FreezerIdentity is which engine it is.
const FreezerIdentity = "docker FREEZER /var/lib/docker"

// FreezerMade is when its containers were made.
func FreezerMade() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

// Identity is FreezerIdentity.
func (f *Freezer) Identity(context.Context) (string, error) {
	return FreezerIdentity, f.Broken["identity"]
}

// PauseOf is the record of a pause that a run has made with it.
func PauseOf(id string) journal.Pause {
	return journal.Pause{Container: id, Created: FreezerMade(), Name: "openshell-x", Engine: FreezerIdentity, Host: "unix:///x", At: time.Now().UTC()}
}

// Inspect is the container in its state; the error wraps fs.ErrNotExist when there is none.
func (f *Freezer) Inspect(_ context.Context, id string) (engine.Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, found := f.State[id]
	if !found {
		return engine.Container{}, text.As(fs.ErrNotExist, "no container %q", id)
	}
	return engine.Container{ID: id, Name: "name-of-" + id[:2], State: state, Created: FreezerMade()}, f.Broken["inspect"]
}

// Pause freezes a container.
func (f *Freezer) Pause(_ context.Context, id string) error { return f.Set("pause", id, "paused") }

// Unpause lets a container go on.
func (f *Freezer) Unpause(_ context.Context, id string) error { return f.Set("unpause", id, "running") }

// Now is the state of a container.
func (f *Freezer) Now(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.State[id]
}

// Set puts a container into a state, and notes the call.
func (f *Freezer) Set(call, id, state string) error {
	if f.Called != nil {
		f.Called(call)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Calls = append(f.Calls, call+" "+id[:2])
	if err := f.Broken[call]; err != nil {
		return err
	}
	if _, found := f.State[id]; !found {
		return fs.ErrNotExist
	}
	f.State[id] = state
	return nil
}

// The full ids of two containers.
const (
	IdA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	IdB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)
