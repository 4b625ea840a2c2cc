package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandkeeper/internal/text"
)

// OpenPlain opens a regular file to read; links are not followed and pipes not waited for.
func OpenPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", filepath.Base(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadPlain reads a regular file of at most limit bytes; links are not followed and pipes not waited for.
func ReadPlain(path string, limit int64) ([]byte, error) {
	f, err := OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	content.Grow(int(min(info.Size(), limit) + bytes.MinRead)) // a large file is not copied while it is read
	_, err = content.ReadFrom(io.LimitReader(f, limit+1))
	if err == nil && int64(content.Len()) > limit {
		err = fmt.Errorf("%s has more than %d bytes", filepath.Base(path), limit)
	}
	return content.Bytes(), err
}

// Torn reports whether the last line of a file of lines has no end: whoever wrote it died, or had no more room. What is
// added to it would be a part of that line.
func Torn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n', err
}

// MustBeAbsent gives nil when nothing is at path, not even a link that leads nowhere; an error that wraps fs.ErrExist
// when something is.
func MustBeAbsent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return text.As(fs.ErrExist, "%s is there already", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}
