// Package homefile reads small files from a person's home without being led out of it: root reads markers and
// registries that belong to users, and a symbolic link must not make it read, or wait on, something else.
package homefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandkeeper/internal/trust"
)

// ErrNotRegular means that the name leads to a folder, a pipe, a device or a socket.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge means that the file is larger than the limit it was read with.
var ErrTooLarge = errors.New("file too large")

// Read returns the content of path, at most limit bytes. When path lies below home, symbolic links are followed only
// while they stay inside home. Errors: fs.ErrNotExist, ErrNotRegular, ErrTooLarge, or what the system says, each with
// the path named.
func Read(home, path string, limit int64) ([]byte, error) {
	return read(home, path, limit, func(fs.FileInfo) error { return nil })
}

// ReadOwn is Read of a file that is obeyed: the error wraps trust.ErrForeign when another user than root or uid could
// have written it.
func ReadOwn(home, path string, limit int64, uid int) ([]byte, error) {
	return read(home, path, limit, func(info fs.FileInfo) error { return trust.Obey(info, path, uid) })
}

func read(home, path string, limit int64, judge func(fs.FileInfo) error) ([]byte, error) {
	f, info, err := Open(home, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := judge(info); err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d: %w", path, info.Size(), limit, ErrTooLarge)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", path, limit, ErrTooLarge)
	}
	return content, nil
}

// Open opens the regular file at path for reading; links are followed as Read follows them.
func Open(home, path string) (*os.File, fs.FileInfo, error) {
	f, err := open(home, path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// O_NONBLOCK: a pipe put in place of a file must not make us wait for a writer.
const flags = os.O_RDONLY | syscall.O_NONBLOCK

func open(home, path string) (*os.File, error) {
	rel, err := filepath.Rel(home, path)
	if home == "" || err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return os.OpenFile(path, flags, 0)
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(rel, flags, 0)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if inside, ok := resolved(home, path); ok {
		return root.OpenFile(inside, flags, 0)
	}
	return nil, err
}

// resolved is path below home without links. os.Root refuses absolute links also where they stay inside.
func resolved(home, path string) (rel string, ok bool) {
	realHome, err := filepath.EvalSymlinks(home)
	if err != nil {
		return "", false
	}
	realPath, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", false
	}
	rel, err = filepath.Rel(realHome, realPath)
	return rel, err == nil && filepath.IsLocal(rel)
}
