package lifecycle

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"sandkeeper/internal/boltfile"
)

// ErrDamaged says that the store's file is cut off or was written over.
var ErrDamaged = errors.New("is damaged")

// sound runs work on the store's file, and says of a damaged file what to do.
func sound(path string, work func() error) error {
	err := boltfile.Sound(work)
	if errors.Is(err, boltfile.ErrDamaged) {
		return damaged(path, err)
	}
	return err
}

// damaged says of the store's file what was found, and what to do.
func damaged(path string, found error) error {
	return fmt.Errorf("extension state %q %w (%w); put a copy back, or move it away to go on without state: "+
		"what extensions hold for sandboxes must then be released by hand", path, ErrDamaged, found)
}

// view reads in one transaction.
func (s *Store) view(read func(*bbolt.Tx) error) error {
	return sound(s.db.Path(), func() error { return s.db.View(read) })
}
