package tree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// walker goes through a folder in the order of the names and hands every entry to the openers.
type walker struct {
	ctx        context.Context
	o          ReadOptions
	ordered    chan *job // to who takes them
	opened     chan *job // to the openers
	attributes *attributeReader
}

// run walks the folder, and ends the openers and the taker when it is through.
func (w *walker) run(folder *os.File) {
	defer close(w.ordered)
	defer close(w.opened)
	fd, err := openBeneath(int(folder.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY, false)
	if err == nil {
		err = w.folder(fd, ".")
	}
	if err != nil && !errors.Is(err, errStopped) {
		j := newJob(".")
		j.err = err
		close(j.done)
		w.ordered <- j // the taker takes all, also when it wants none
	}
}

// folder hands on the folder that fd has open, and all in it. It closes fd.
func (w *walker) folder(fd int, name string) error {
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	j := newJob(name)
	j.err = unix.Fstat(fd, &j.stat)
	if j.err == nil {
		j.header = headerOf(name, &j.stat)
		j.header.PAXRecords, j.err = w.attributes.of(fd)
	}
	close(j.done)
	if err := w.hand(j); err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed meanwhile: then nothing is in it
		return err
	}
	slices.Sort(names)
	for _, child := range names {
		if w.o.Only != nil && !w.o.Only(below(name, child)) {
			continue
		}
		if err := w.entry(fd, child, below(name, child)); err != nil {
			return err
		}
	}

	return nil
}

func below(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
}

// entry opens a folder and goes through it; of anything else it only takes hold.
func (w *walker) entry(at int, child, name string) error {
	enter := w.o.Enter != nil && w.o.Enter(name)
	fd, err := openBeneath(at, child, unix.O_PATH, enter)
	j := newJob(name)
	switch {
	case err == unix.EXDEV:
		j.mounted = true
	case err == unix.ENOENT:
		j.gone = true
	case err != nil:
		j.err = err
	}

	if err != nil {
		close(j.done)
		return w.hand(j)
	}
	if err := unix.Fstat(fd, &j.stat); err == nil && j.stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return w.into(name, fd)
	}
	if w.o.Earlier != nil && j.stat.Mode&unix.S_IFMT == unix.S_IFREG {
		j.seen = seen(&j.stat)
		j.kept = w.o.Earlier(name, j.stat.Size, j.seen)
	}
	j.fd = fd
	if err := w.hand(j); err != nil {
		j.close()
		close(j.done)
		return err
	}

	w.opened <- j
	return nil
}

// into opens the folder that fd names.
func (w *walker) into(name string, fd int) error {
	folder, err := openBeneath(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, false)
	_ = unix.Close(fd)
	if err != nil {
		return &UnreadableError{Path: name, Err: err}
	}
	return w.folder(folder, name)
}

// hand puts an entry in the order, unless nobody wants any more.
func (w *walker) hand(j *job) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	w.ordered <- j
	return nil
}

// open is one opener.
func (w *walker) open() {
	attributes := newAttributeReader()
	for j := range w.opened {
		if j.err = context.Cause(w.ctx); j.err == nil {
			j.err = j.load(attributes)
		}
		close(j.done)
	}
}
