package lifecycle

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// ErrDamaged says that the store's file is cut off or was written over.
var ErrDamaged = errors.New("is damaged")

// sound runs work on the store's file. bbolt maps the file into memory and trusts what it finds there: with a file that was cut off or
// written over it panics, or touches memory that is not there, which would end the process. Both become an error here.
func sound(path string, work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("extension state %q %w (%v); put a copy back, or move it away to go on without state: "+
				"what extensions hold for sandboxes must then be released by hand", path, ErrDamaged, found)
		}
	}()
	return work()
}

// view reads in one transaction.
func (s *Store) view(read func(*bbolt.Tx) error) error {
	return sound(s.db.Path(), func() error { return s.db.View(read) })
}
