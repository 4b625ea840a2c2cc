package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StateRestore is what is known of a gateway's state that is being put back: enough to take it back without the run
// that did it.
type StateRestore struct {
	Gateway string    `json:"gateway"`
	Backup  string    `json:"backup"`
	Files   []string  `json:"files"`          // their places; what is new lies beside them until it is in place
	Had     []string  `json:"had,omitempty"`  // what was there before: it is in its place, or aside
	Made    []string  `json:"made,omitempty"` // folders for Files that were not there before, each before the one that it lies in
	Placing bool      `json:"placing"`        // false: nothing was moved yet
	At      time.Time `json:"at"`             // when the restore began, in whole seconds; what is new was last changed then, by its own word
}

// StateRestores is the shelf of restores of gateways' state, below that of containers.
func StateRestores(restoring string) Shelf[StateRestore] {
	return NewShelf(filepath.Join(restoring, "gateways"), Kind[StateRestore]{About: StateRestore.about, Check: checkStateRestore})
}

func (r StateRestore) about() string { return fmt.Sprintf("the state of gateway %q", r.Gateway) }

// Key is the name of the gateway's record.
func (r StateRestore) Key() string { return Key(r.Gateway, "") }

// WithSidecars is a file with what SQLite keeps beside it, if it is a database.
func WithSidecars(path string) []string {
	return []string{path, path + "-wal", path + "-shm", path + "-journal"}
}

// checkStateRestore: what the record names is removed and renamed, so it must be what a restore made.
func checkStateRestore(key string, r StateRestore) error {
	if r.Key() != key {
		return errors.New("it speaks of another gateway than its name")
	}
	if r.Backup == "" || strings.ContainsAny(r.Backup, "/\x00") {
		return fmt.Errorf("state of gateway %q: %q is no backup's id", r.Gateway, r.Backup)
	}
	var places []string
	for _, path := range r.Files {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			return fmt.Errorf("state of gateway %q: %q is no place for a file", r.Gateway, path)
		}
		places = append(places, WithSidecars(path)...)
	}

	for _, old := range r.Had {
		if !slices.Contains(places, old) {
			return fmt.Errorf("state of gateway %q: %q is none of its files", r.Gateway, old)
		}
	}

	for _, made := range r.Made {
		if !filepath.IsAbs(made) || !slices.ContainsFunc(r.Files, func(path string) bool { return strings.HasPrefix(path, made+"/") }) {
			return fmt.Errorf("state of gateway %q: %q is no folder of its files", r.Gateway, made)
		}
	}

	return nil
}
