package boltfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"sandkeeper/internal/trust"
)

// OpenOwn opens a file for bbolt (Options.OpenFile). What it holds is acted on, so the error wraps trust.ErrForeign
// when another user than root or ourselves could have written it; links are not followed.
func OpenOwn(path string, flags int, mode os.FileMode) (*os.File, error) {
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
