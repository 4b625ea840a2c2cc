package boltfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"sandkeeper/internal/trust"
)

// Open opens the database in path, mode 0600 where it is made. The error wraps ErrDamaged when the file is no whole
// database, trust.ErrForeign when it is not ours (openOwn), and bbolt's ErrTimeout when another process holds it longer
// than o.Timeout; any other is one of the system.
func Open(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	o.OpenFile = openOwn
	err = Sound(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	_, ofSystem := errors.AsType[syscall.Errno](err)
	if err == nil || ofSystem || errors.Is(err, berrors.ErrTimeout) || errors.Is(err, trust.ErrForeign) || errors.Is(err, ErrDamaged) {
		return db, err
	}
	return nil, fmt.Errorf("%w (%w)", ErrDamaged, err) // bbolt has no name for some of it: "file size too small"
}

// openOwn opens a file for bbolt (Options.OpenFile). What it holds is acted on, so the error wraps trust.ErrForeign
// when another user than root or ourselves could have written it; links are not followed.
func openOwn(path string, flags int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a regular file", path)
	}
	if err == nil {
		err = trust.Obey(info, path, os.Geteuid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
