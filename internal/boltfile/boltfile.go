// Package boltfile answers one question about a bbolt file: may we go by it, for it is whole, and ours? bbolt maps the
// file into memory and trusts what it finds there: with a file that was cut off or written over it panics, or touches
// memory that is not there, which would end the process.
package boltfile

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrDamaged says that the file is cut off or was written over.
var ErrDamaged = errors.New("the file is damaged")

// Sound runs work on a file and makes an error of what would end the process. The error wraps ErrDamaged and says what
// was found.
func Sound(work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("%w (%v)", ErrDamaged, found)
		}
	}()
	return work()
}
