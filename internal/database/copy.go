package database

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sandkeeper/internal/disk"
)

// The files that SQLite keeps beside a database, and how a rollback journal that holds something begins
// (https://www.sqlite.org/fileformat2.html, "The Rollback Journal").
const (
	logSuffix     = "-wal"
	journalSuffix = "-journal"
	journalMagic  = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
)

// A database that changes while it is copied is copied again, this often and after this pause.
const (
	copyTries = 20
	copyPause = 25 * time.Millisecond
)

// errBusy says that a database changed during every try to copy it.
var errBusy = errors.New("it is being written to")

// scratchPrefix begins the names of the folders in which copies lie. The next copy removes what a killed run has left.
const scratchPrefix = "sandkeeper-database-"

// snapshot is a private copy of a database and of what lies beside it, in a folder that only its owner can read.
type snapshot struct {
	dir  *disk.Scratch
	path string
	hot  bool // its rollback journal holds an unfinished transaction
}

func (s snapshot) remove() error { return s.dir.Remove() }

// takeSnapshot copies the database at path with its log and its journal. The files are read twice. What they held
// between the two reads is one state of the database, if the second read finds what the first one did.
func takeSnapshot(ctx context.Context, path string) (snapshot, error) {
	path, err := filepath.EvalSymlinks(path) // SQLite keeps its other files beside the real one
	if err != nil {
		return snapshot{}, err
	}
	dir, err := disk.NewScratch("", scratchPrefix)
	if err != nil {
		return snapshot{}, fmt.Errorf("copy %s: %w", path, err)
	}
	s := snapshot{dir: dir, path: filepath.Join(dir.Dir, "copy.db")}
	for range copyTries {
		if err = s.fill(ctx, path); !errors.Is(err, errBusy) || !wait(ctx, copyPause) {
			break
		}
	}

	if err != nil {
		return s, errors.Join(fmt.Errorf("%s: %w", path, err), context.Cause(ctx), s.remove())
	}
	return s, nil
}

// fill makes s a copy of the database at path, or gives errBusy when something changed meanwhile. The log is copied
// after the database, so that it has every page that a checkpoint has put there.
func (s *snapshot) fill(ctx context.Context, path string) error {
	suffixes := []string{"", logSuffix, journalSuffix}
	copied := map[string]digest{}
	for _, suffix := range suffixes {
		d, err := copyFile(ctx, path+suffix, s.path+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		copied[suffix] = d
	}

	for _, suffix := range suffixes {
		same, err := unchanged(ctx, path+suffix, copied[suffix], suffix == logSuffix)
		if err != nil {
			return err
		}
		if !same {
			return errBusy
		}
	}

	s.hot = copied[journalSuffix].journal
	return nil
}

// digest tells one content of a file from another. The zero value is that of a file that is not there.
type digest struct {
	there   bool
	size    int64
	sum     [sha256.Size]byte
	journal bool // it begins as a journal that holds something
}

// copyFile copies one file, and removes what an earlier try left in its place.
func copyFile(ctx context.Context, from, to string) (digest, error) {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return digest{}, err
	}
	source, err := openPlain(from)
	if err != nil {
		return digest{}, err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return digest{}, err
	}
	d, err := read(ctx, source, target)
	return d, errors.Join(err, target.Close())
}

// unchanged reports whether the file at path still holds what was copied. A log may have grown: what was appended is
// not part of the copy, and what was there before still is.
func unchanged(ctx context.Context, path string, copied digest, mayGrow bool) (bool, error) {
	source, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return !copied.there, nil
	}
	if err != nil {
		return false, err
	}
	defer source.Close()
	if !copied.there {
		return false, nil
	}
	limit := copied.size
	if !mayGrow {
		limit++
	}
	now, err := read(ctx, io.LimitReader(source, limit), io.Discard)
	return now == copied, err
}

func read(ctx context.Context, from io.Reader, into io.Writer) (digest, error) {
	h := sha256.New()
	head := &firstBytes{}
	size, err := io.Copy(io.MultiWriter(h, head, into), bounded{ctx, from})
	return digest{true, size, [sha256.Size]byte(h.Sum(nil)), bytes.HasPrefix(head.got, []byte(journalMagic))}, err
}

// firstBytes keeps how a file begins.
type firstBytes struct{ got []byte }

// Write is io.Writer.
func (f *firstBytes) Write(p []byte) (int, error) {
	if len(f.got) < len(journalMagic) {
		f.got = append(f.got, p[:min(len(p), len(journalMagic))]...)
	}
	return len(p), nil
}

// bounded ends a read with its context.
type bounded struct {
	ctx  context.Context
	from io.Reader
}

// Read is io.Reader.
func (b bounded) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}

// openPlain opens a regular file for reading. A pipe in its place must not make us wait, and a device must not act.
func openPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
