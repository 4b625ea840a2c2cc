package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/text"
)

// Publish makes the file at path hold what write writes, readable by everybody: its readers see the whole new content
// or the old one. The name of the part that is being written does not end like path's, for collectors read by the end
// of a name. Only a plain file is replaced: a device or a link in its place is an error.
func Publish(path string, write func(io.Writer) error) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err := IgnoreMissing(err); err != nil {
		return err
	}
	if err == nil && !info.Mode().IsRegular() {
		return text.As(fs.ErrExist, "%s is there and is no plain file", path)
	}
	part, err := os.CreateTemp(filepath.Dir(path), StagingPrefix+"*")
	if err != nil {
		return unwritable(path, err)
	}
	defer func() { err = errors.Join(err, IgnoreMissing(os.Remove(part.Name()))) }() // its name is gone after the rename
	if err := write(part); err != nil {
		return errors.Join(err, part.Close())
	}
	if err := errors.Join(part.Chmod(0o644), FinishFile(part, path)); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	return Real{}.SyncDir(filepath.Dir(path))
}

// unwritable says of the file that was to be written why it cannot be, without the name of the part.
func unwritable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return text.As(err, "there is no folder %s", filepath.Dir(path))
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "write", Path: path, Err: failed.Err}
	}
	return err
}
