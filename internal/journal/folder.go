package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrForeign means that a file or its folder is not this user's alone: another user owns it or can write it, or it is
// no plain file. Nothing is done that it asks for.
var ErrForeign = errors.New("not this user's own")

// folder is a shelf's folder, held open. Its files are opened below the descriptor, so that a folder that is moved
// meanwhile, or replaced by a link, leads nowhere.
type folder struct {
	file *os.File
	dir  string
	user int
	step func(step string) // told of each step, for tests

	watch Watch
}

// Watch is told of what is done to the folder of a shelf, in tests that cut the power: "mkdir", "create", "write",
// "sync" and "sync folder" when it is done, "rename" and "remove" before.
type Watch func(what string, paths ...string)

func (f *folder) tell(what string, names ...string) {
	for i, name := range names {
		names[i] = filepath.Join(f.dir, name)
	}
	f.watch(what, names...)
}

// ours opens the shelf's folder and judges it. The error wraps fs.ErrNotExist when there is none.
func (s Shelf[E]) ours() (*folder, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := f.judge(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// open opens the shelf's folder without judging it: whose it is matters only where something is in it.
func (s Shelf[E]) open() (*folder, error) {
	fd, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s is no folder: %w", s.dir, ErrForeign)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: s.dir, Err: err}
	}
	return &folder{file: os.NewFile(uintptr(fd), s.dir), dir: s.dir, user: s.user, step: s.step, watch: s.watch}, nil
}

// judge looks at the descriptor, so that what was judged is what is worked in.
func (f *folder) judge() error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.file.Fd()), &stat); err != nil {
		return err
	}
	return f.own(f.dir, &stat)
}

func (f *folder) close() error { return f.file.Close() }

// open opens one plain file of this user's, and follows no link. O_NONBLOCK: a pipe in its place must not make us wait.
func (f *folder) open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(f.file.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	path := filepath.Join(f.dir, name)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("%s is no plain file: %w", path, ErrForeign)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil {
		err = f.own(path, &stat)
	}
	if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("%s is no plain file: %w", path, ErrForeign)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// own judges what a descriptor says of its file.
func (f *folder) own(path string, stat *unix.Stat_t) error {
	if int(stat.Uid) != f.user {
		return fmt.Errorf("%s belongs to user %d: %w", path, stat.Uid, ErrForeign)
	}
	if stat.Mode&0o022 != 0 {
		return fmt.Errorf("%s can be written by others (mode %04o): %w", path, stat.Mode&0o7777, ErrForeign)
	}
	return nil
}

// read is the content of one file.
func (f *folder) read(name string) ([]byte, error) {
	file, err := f.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, recordLimit+1))
	if err == nil && len(text) > recordLimit {
		err = fmt.Errorf("%s has more than %d bytes", file.Name(), recordLimit)
	}
	return text, err
}

// replace makes the file hold content, whole or not at all, also after a power cut.
func (f *folder) replace(name string, content []byte) error {
	part := partPrefix + name
	if err := f.remove(part); err != nil {
		return err
	}
	f.step("create")
	file, err := f.open(part, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	f.tell("create", part)
	f.step("write")
	_, err = file.Write(content)
	f.tell("write", part)
	if err == nil {
		f.step("sync")
		err = f.settle(file, part)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		f.step("rename")
		f.tell("rename", part, name)
		err = f.rename(part, name)
	}

	if err != nil {
		return errors.Join(err, f.remove(part))
	}
	f.step("sync folder")
	return f.sync()
}

// settle makes the bytes of a file durable.
func (f *folder) settle(file *os.File, name string) error {
	err := file.Sync()
	f.tell("sync", name)
	return err
}

func (f *folder) rename(from, to string) error {
	fd := int(f.file.Fd())
	if err := unix.Renameat(fd, from, fd, to); err != nil {
		return &fs.PathError{Op: "rename", Path: filepath.Join(f.dir, from), Err: err}
	}
	return nil
}

// remove removes one file. If it is gone, that is no error.
func (f *folder) remove(name string) error {
	f.tell("remove", name)
	err := unix.Unlinkat(int(f.file.Fd()), name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &fs.PathError{Op: "remove", Path: filepath.Join(f.dir, name), Err: err}
}

// has reports whether there is anything of that name.
func (f *folder) has(name string) (bool, error) {
	var stat unix.Stat_t
	err := unix.Fstatat(int(f.file.Fd()), name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// sync makes the names in the folder durable. Some file systems cannot (EINVAL, ENOTSUP) and need not.
func (f *folder) sync() error {
	err := f.file.Sync()
	f.tell("sync folder", ".")
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
