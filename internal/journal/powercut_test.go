package journal

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"sandkeeper/internal/powercut"
)

// A record that was put is there after a power cut, and the one before it, or it, whenever the power is cut while it is put.
func TestAPowerCutLeavesAWholeRecord(t *testing.T) {
	for at := range 14 {
		for seed := range uint64(12) {
			s := NewShelf(filepath.Join(t.TempDir(), "state", "shelf"), notes())
			d := powercut.New(t.TempDir(), rand.New(rand.NewPCG(seed, uint64(at))))
			putWatched(t, s.Watched(d.Process(0, nil).Watch), "one")
			ended := make(chan bool, 1)
			go func() {
				done := false
				defer func() { ended <- done }()
				putWatched(t, s.Watched(d.Process(at, runtime.Goexit).Watch), "two")
				done = true
			}()
			done := <-ended
			if err := d.Cut(); err != nil {
				t.Fatal(err)
			}
			seen, found, err := s.Look(keyA)
			name := seen.Value.Name
			if err := errors.Join(err, seen.Err); err != nil || !found || name != "two" && (done || name != "one") {
				t.Fatalf("dead at call %d, seed %d: ended %v, found %v %q, %v", at, seed, done, found, name, err)
			}
		}
	}
}

func putWatched(t *testing.T, s Shelf[note], name string) {
	t.Helper()
	r, err := s.Own(t.Context(), keyA)
	if err == nil {
		err = errors.Join(r.Put(note{Name: name}), r.Close())
	}
	if err != nil {
		t.Error(err)
	}
}
