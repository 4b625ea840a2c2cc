package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
)

// job is one entry on its way from the walk through an opener to who takes it.
type job struct {
	name    string
	fd      int // names the entry, and opens nothing; -1: there is nothing more to read of it
	stat    unix.Stat_t
	header  *tar.Header
	mounted bool // something is mounted there that is no part of the folder
	gone    bool // removed meanwhile
	err     error
	done    chan struct{}

	file    int // a large file, open; -1: none
	small   []byte
	reading *tail // nil: all that is wanted of the file is in small
	changed bool
	seen    archive.Seen  // when kept was found
	kept    *archive.Kept // an earlier backup has the content
}

func newJob(name string) *job { return &job{name: name, fd: -1, file: -1, done: make(chan struct{})} }

// content is what of the file is read next: all of it is in memory, or it is read while it is taken.
func (j *job) content() io.Reader {
	if j.reading == nil {
		return bytes.NewReader(j.small)
	}
	return j.reading
}

// moved reports whether the file was written to while it was read.
func (j *job) moved() bool {
	if j.reading == nil {
		return j.changed
	}
	var now unix.Stat_t
	err := unix.Fstat(j.file, &now)
	return err != nil || j.reading.short || !same(&j.stat, &now)
}

func (j *job) close() {
	for _, fd := range []int{j.fd, j.file} {
		if fd >= 0 {
			_ = unix.Close(fd) // was only read
		}
	}
	j.fd, j.file = -1, -1
}

// load reads what a header says of the entry, and opens it when it is a file.
func (j *job) load(attributes *attributeReader) error {
	if err := unix.Fstat(j.fd, &j.stat); err != nil {
		return err
	}
	j.header = headerOf(j.name, &j.stat)
	switch j.header.Typeflag {
	case tar.TypeReg:
		return j.loadFile(attributes)
	case tar.TypeSymlink:
		return j.loadLink(attributes)
	case tar.TypeDir:
		return errors.New("it became a folder while it was read")
	}
	return nil
}

func (j *job) loadLink(attributes *attributeReader) (err error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(j.fd, "", target)
	if err != nil {
		return err
	}
	j.header.Linkname = string(target[:n])
	j.header.PAXRecords, err = attributes.ofLink(j.fd)
	return err
}

// readTries is how often a small file is read that is written to meanwhile.
const readTries = 3

func (j *job) loadFile(attributes *attributeReader) (err error) {
	if j.file, err = reopen(j.fd); err != nil {
		return err
	}
	for range readTries {
		if err := j.loadFacts(attributes); err != nil || j.kept != nil || j.stat.Size > smallFile {
			return err
		}
		if err := j.loadSmall(); err != nil || !j.changed {
			return err
		}
	}
	return nil
}

// loadFacts takes all that is in the header, and where the holes are.
func (j *job) loadFacts(attributes *attributeReader) (err error) {
	if err := unix.Fstat(j.file, &j.stat); err != nil {
		return err
	}
	j.header = headerOf(j.name, &j.stat)
	if j.header.PAXRecords, err = attributes.of(j.file); err != nil {
		return err
	}
	data, whole, err := dataOf(j.file, &j.stat)
	if err != nil {
		return err
	}
	if !whole {
		record(j.header, archive.RecordData, spell(data))
	}
	if j.kept != nil && seen(&j.stat) != j.seen {
		j.kept = nil
	}
	j.reading = &tail{layout: layout{size: j.stat.Size, whole: whole, data: data}, fd: j.file}
	return nil
}

// loadSmall reads a file whole, and looks whether it stayed what it was meanwhile.
func (j *job) loadSmall() error {
	j.small = make([]byte, j.stat.Size)
	if _, err := io.ReadFull(j.reading, j.small); err != nil {
		return err
	}
	var now unix.Stat_t
	if err := unix.Fstat(j.file, &now); err != nil {
		return err
	}
	j.changed = j.reading.short || !same(&j.stat, &now)
	j.reading = nil
	if !j.changed {
		j.close()
	}
	return nil
}

// seen is what says later whether the file was written to.
func seen(st *unix.Stat_t) archive.Seen { return archive.Seen{Inode: st.Ino, Changed: st.Ctim.Nano()} }

// same reports whether nothing was written to a file between two looks.
func same(a, b *unix.Stat_t) bool {
	return a.Size == b.Size && a.Mtim == b.Mtim && a.Ctim == b.Ctim
}

// headerOf is what a tar header says of an entry.
func headerOf(name string, st *unix.Stat_t) *tar.Header {
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix()),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFSOCK:
		h.Typeflag = archive.TypeSocket
	case unix.S_IFBLK:
		h.Typeflag = tar.TypeBlock
	default:
		h.Typeflag = tar.TypeChar
	}

	if h.Typeflag == tar.TypeBlock || h.Typeflag == tar.TypeChar {
		h.Devmajor, h.Devminor = int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev)))
	}
	return h
}
