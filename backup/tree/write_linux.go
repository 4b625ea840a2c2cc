package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
)

// Writer makes entries into a folder that is empty and nobody else's. Every entry is new where it is written; nothing
// is followed, and nothing is opened that the writer did not make.
type Writer struct {
	// Onto says that there are folders in root already, which keep the times that they have.
	Onto bool

	root   *os.File
	path   []level // the folders on the way to the last entry, open
	later  []*tar.Header
	times  []timed
	buffer []byte
	zeros  []byte
}

// timed is a folder that was there before.
type timed struct {
	name string
	at   []unix.Timespec
}

// level is one folder on the way to an entry.
type level struct {
	name string // path from the root
	fd   int
}

// NewWriter writes below folder.
func NewWriter(folder *os.File) *Writer {
	return &Writer{root: folder, buffer: make([]byte, smallFile), zeros: make([]byte, smallFile)}
}

// Add makes one entry. Folders above it that have not come yet are made, and are root's; the folder "." is the root
// itself.
func (w *Writer) Add(h *tar.Header, content io.Reader) error {
	if err := w.add(h, content); err != nil {
		return fmt.Errorf("writing %q: %w", archive.Printable(h.Name), err)
	}
	return nil
}

func (w *Writer) add(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeDir {
		w.later = append(w.later, h)
		_, err := w.folder(h.Name)
		return err
	}

	at, err := w.folder(path.Dir(h.Name))
	if err != nil {
		return err
	}
	name := path.Base(h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
		return w.file(at, name, h, content)
	case tar.TypeLink:
		return w.link(at, name, h)
	case tar.TypeSymlink:
		return w.symlink(at, name, h)
	}

	return w.special(at, name, h)
}

// special makes what is in no archive, and is only carried from one folder to another: pipes, sockets and devices.
func (w *Writer) special(at int, name string, h *tar.Header) error {
	kinds := map[byte]uint32{
		tar.TypeFifo: unix.S_IFIFO, archive.TypeSocket: unix.S_IFSOCK, tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK,
	}
	kind, known := kinds[h.Typeflag]
	device := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	if !known || kind == unix.S_IFCHR && device == 0 { // which means "removed" in a layer
		return errors.New("it is nothing that a home may have")
	}
	if err := unix.Mknodat(at, name, kind|0o600, int(device)); err != nil {
		return err
	}
	if err := unix.Fchownat(at, name, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	fd, err := openBeneath(at, name, unix.O_PATH, false)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Chmod(descriptorPath(fd), uint32(h.Mode&0o7777)); err != nil {
		return err
	}
	return unix.UtimesNanoAt(at, name, times(h), unix.AT_SYMLINK_NOFOLLOW)
}

// Finish gives the folders their owners, modes, attributes and times, closes what is open, and waits for the disk.
func (w *Writer) Finish() error {
	defer w.Close()
	for _, t := range w.times {
		fd, err := w.folder(t.name)
		if err == nil {
			err = unix.UtimesNanoAt(unix.AT_FDCWD, descriptorPath(fd), t.at, 0)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", archive.Printable(t.name), err)
		}
	}

	for i := len(w.later) - 1; i >= 0; i-- { // what is in a folder comes after it
		h := w.later[i]
		fd, err := w.folder(h.Name)
		if err == nil {
			err = dress(fd, h)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", archive.Printable(h.Name), err)
		}
	}
	return os.NewSyscallError("syncfs", unix.Syncfs(int(w.root.Fd())))
}

// Close closes what is open.
func (w *Writer) Close() {
	w.leave(0)
}

// folder is the folder of that path, made where it is missing. It stays open until an entry elsewhere comes.
func (w *Writer) folder(name string) (int, error) {
	if name == "." {
		return int(w.root.Fd()), w.remember(name, int(w.root.Fd()))
	}
	keep := 0
	for keep < len(w.path) && within(name, w.path[keep].name) {
		keep++
	}
	w.leave(keep)
	if keep > 0 && w.path[keep-1].name == name {
		return w.path[keep-1].fd, nil
	}
	at, err := w.folder(path.Dir(name))
	if err != nil {
		return -1, err
	}
	err = unix.Mkdirat(at, path.Base(name), 0o755)
	exists := err == unix.EEXIST
	if err != nil && !exists {
		return -1, err
	}
	fd, err := openBeneath(at, path.Base(name), unix.O_RDONLY|unix.O_DIRECTORY, false)
	if err != nil {
		return -1, err
	}
	w.path = append(w.path, level{name, fd})
	if exists {
		return fd, w.remember(name, fd)
	}
	return fd, nil
}

// remember keeps the times of a folder that was there before something is written in it.
func (w *Writer) remember(name string, fd int) error {
	known := func(t timed) bool { return t.name == name }
	made := func(h *tar.Header) bool { return h.Name == name }
	if !w.Onto || slices.ContainsFunc(w.times, known) || slices.ContainsFunc(w.later, made) {
		return nil
	}
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	w.times = append(w.times, timed{name, []unix.Timespec{st.Atim, st.Mtim}})
	return err
}

// within reports whether name is folder or below it.
func within(name, folder string) bool {
	return len(name) >= len(folder) && name[:len(folder)] == folder && (len(name) == len(folder) || name[len(folder)] == '/')
}

// leave closes the folders on the way from the given one on.
func (w *Writer) leave(from int) {
	for _, l := range w.path[from:] {
		_ = unix.Close(l.fd) // what was written in it is synced with the whole file system
	}
	w.path = w.path[:from]
}

func (w *Writer) file(at int, name string, h *tar.Header, content io.Reader) (err error) {
	fd, err := unix.Openat(at, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := w.fill(fd, h, content); err != nil {
		return err
	}
	return dress(fd, h)
}

// link gives a file that was written before a second name.
func (w *Writer) link(at int, name string, h *tar.Header) error {
	from, err := w.behind(h.Linkname)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	var st unix.Stat_t
	if err := unix.Fstatat(from, path.Base(h.Linkname), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("it is a hard link to something that is no file")
	}
	return unix.Linkat(from, path.Base(h.Linkname), at, name, 0)
}

// symlink makes a symbolic link; the same link again becomes a second name of the first.
func (w *Writer) symlink(at int, name string, h *tar.Header) error {
	if first := h.PAXRecords[archive.RecordTwin]; first != "" && archive.OddName(first) == "" && w.twin(at, name, first, h.Linkname) {
		return nil
	}
	if err := unix.Symlinkat(h.Linkname, at, name); err != nil {
		return err
	}
	fd, err := openBeneath(at, name, unix.O_PATH, false)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(at, name, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if err := setAttributes(h, func(key string, value []byte) error { return unix.Setxattr(descriptorPath(fd), key, value, 0) }); err != nil {
		return err
	}
	return unix.UtimesNanoAt(at, name, times(h), unix.AT_SYMLINK_NOFOLLOW)
}

// twin reports whether the link is now a second name of first.
func (w *Writer) twin(at int, name, first, target string) bool {
	from, err := w.behind(first)
	if err != nil {
		return false
	}
	defer unix.Close(from)
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from, path.Base(first), buffer)
	return err == nil && string(buffer[:n]) == target && unix.Linkat(from, path.Base(first), at, name, 0) == nil
}

// behind opens the folder that holds an entry, whatever the length of its path.
func (w *Writer) behind(name string) (int, error) {
	fd, err := openBeneath(int(w.root.Fd()), ".", unix.O_PATH|unix.O_DIRECTORY, false)
	if err != nil {
		return -1, err
	}
	dir := path.Dir(name)
	for dir != "." {
		step := dir
		if len(step) >= unix.PathMax {
			step = step[:lastSlash(step[:unix.PathMax-1])]
		}
		next, err := openBeneath(fd, step, unix.O_PATH|unix.O_DIRECTORY, false)
		_ = unix.Close(fd)
		if err != nil {
			return -1, err
		}
		if fd = next; len(step) == len(dir) {
			break
		}
		dir = dir[len(step)+1:]
	}

	return fd, nil
}
