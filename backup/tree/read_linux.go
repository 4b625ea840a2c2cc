package tree

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"sandkeeper/backup/archive"
)

// How far the openers may be ahead of who takes the entries, and up to which size they read files whole.
const (
	mostOpeners = 4
	ahead       = 64
	smallFile   = 256 << 10
)

// errStopped ends the walk when nobody wants its entries any more.
var errStopped = errors.New("stopped")

// Read hands the folder whole to into. Nothing is followed and no mount is entered that o does not know. Entries that
// go meanwhile are left out; files that are written to meanwhile are read again, and named in changed when that did not
// help. An error that is not into's own means that an entry cannot be read as it is.
func Read(parent context.Context, folder *os.File, into Sink, o ReadOptions) (changed []string, err error) {
	ctx, stop := context.WithCancelCause(parent)
	w := &walker{ctx: ctx, o: o, ordered: make(chan *job, ahead), opened: make(chan *job, ahead), attributes: newAttributeReader()}
	var group sync.WaitGroup
	group.Go(func() { w.run(folder) })
	for range min(runtime.GOMAXPROCS(0), mostOpeners) {
		group.Go(w.open)
	}
	t := taker{into: into, o: o, names: map[inode]string{}}
	for j := range w.ordered {
		<-j.done
		if err == nil {
			err = t.take(j)
		}
		if err != nil {
			stop(errStopped)
		}
		j.close()
	}

	group.Wait()
	stop(nil)
	if cause := context.Cause(parent); cause != nil {
		err = cause
	}
	return t.changed, err
}

// inode names a file whatever its path.
type inode struct {
	device uint64
	number uint64
}

// taker hands on what the openers opened, in the order of the walk.
type taker struct {
	into    Sink
	o       ReadOptions
	names   map[inode]string // of files and links with several names: the first
	changed []string
}

func (t *taker) take(j *job) error {
	switch {
	case j.gone:
		return nil
	case j.err != nil:
		return &UnreadableError{Path: j.name, Err: j.err}
	case j.mounted:
		t.into.Omit(j.name, "a mount that is no part of the sandbox")
		return nil
	}

	t.twin(j)
	if t.o.Added != nil {
		defer t.o.Added()
	}
	if j.header.Typeflag != tar.TypeReg {
		return t.into.Add(j.header, strings.NewReader(""))
	}
	content := j.content()
	if t.o.Through != nil {
		content = t.o.Through(content)
	}
	if t.o.Earlier != nil {
		content = &archive.Witnessed{Reader: content, Seen: seen(&j.stat), Kept: j.kept}
	}
	if err := t.into.Add(j.header, content); err != nil {
		return err
	}
	if j.moved() {
		t.changed = append(t.changed, j.name)
	}
	return nil
}

// twin makes the second name of a file a link to the first. Of symbolic links tar knows no such thing, so that a record
// says it.
func (t *taker) twin(j *job) {
	if j.stat.Nlink < 2 || j.header.Typeflag == tar.TypeDir {
		return
	}
	key := inode{uint64(j.stat.Dev), j.stat.Ino}
	first, seen := t.names[key]
	switch {
	case !seen:
		t.names[key] = j.name
	case j.header.Typeflag == tar.TypeReg:
		j.header.Typeflag, j.header.Linkname, j.header.Size = tar.TypeLink, first, 0
		delete(j.header.PAXRecords, archive.RecordData)
	default:
		record(j.header, archive.RecordTwin, first)
	}
}

func record(h *tar.Header, key, value string) {
	if h.PAXRecords == nil {
		h.PAXRecords = map[string]string{}
	}
	h.PAXRecords[key] = value
}

// UnreadableError is an entry of the folder that could not be read as it is.
type UnreadableError struct {
	Path string
	Err  error
}

// Error names the entry.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("entry %q cannot be read: %v", e.Path, e.Err)
}

// Unwrap gives the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }
