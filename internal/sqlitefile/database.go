// Package sqlitefile answers what an SQLite database holds, and copies one that is in use, by its file format alone
// (https://www.sqlite.org/fileformat2.html): nothing is written beside it, no writer is ever made to wait by a look, and the
// program does not carry a database engine for one small table.
package sqlitefile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// What can be wrong with a database; each error of this package that is about its content wraps one of them.
var (
	ErrForeign = errors.New("not an SQLite database")
	ErrTorn    = errors.New("damaged SQLite database")
	ErrBusy    = errors.New("SQLite database in the middle of a transaction")
)

const magic = "SQLite format 3\x00"

// Database is one state of a database: its file with the committed part of the write-ahead log over it.
type Database struct {
	main     io.ReaderAt
	wal      io.ReaderAt
	pageSize int
	usable   int              // bytes of a page that hold content
	pages    uint32           // how many pages this state has
	overlay  map[uint32]int64 // page number → where its newest committed content is in the log
}

// tries is how often a database that changes under the reader's hands is looked at again, pause how long after.
const (
	tries = 20
	pause = 25 * time.Millisecond
)

// Read calls look with a state of the database at path. When the database changed meanwhile, look is called again, with the state
// after that. The error is look's own, or says why there is no such state: fs.ErrNotExist, ErrForeign, ErrTorn, ErrBusy.
func Read(ctx context.Context, path string, look func(*Database) error) error {
	var problem error
	for try := range tries {
		if try > 0 && !wait(ctx, pause) {
			return errors.Join(context.Cause(ctx), problem)
		}
		stable, err := read(path, look)
		if stable || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrForeign) {
			return err
		}
		problem = err
	}
	if problem == nil {
		problem = fmt.Errorf("%s changed at each of %d looks: %w", path, tries, ErrBusy)
	}
	return problem
}

// read looks once. What was seen of a database that changed meanwhile proves nothing, also when it looked torn.
func read(path string, look func(*Database) error) (stable bool, err error) {
	f, err := openPlain(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	before, err := stampOf(f, path)
	if err != nil {
		return false, err
	}
	if before.journal {
		return false, unfinished(path)
	}
	settled := before.settled(time.Now())
	wal, err := openLog(path, before)
	if err != nil {
		return false, err
	}
	defer wal.Close()
	db, err := newDatabase(f, wal, before)
	if err == nil {
		err = look(db)
	}
	after, stampErr := stampOf(f, path)
	return settled && stampErr == nil && after == before, err
}

func unfinished(path string) error {
	return fmt.Errorf("%s-journal holds an unfinished transaction: %w", path, ErrBusy)
}

// header is what the first 100 bytes of a database say.
type header struct {
	pageSize, usable int
	inLog            bool // it is in WAL mode
	pages            uint32
}

func parseHeader(head []byte) (header, error) {
	if len(head) < 100 || !bytes.HasPrefix(head, []byte(magic)) {
		return header{}, ErrForeign
	}
	h := header{pageSize: int(binary.BigEndian.Uint16(head[16:])), inLog: head[19] == 2, pages: binary.BigEndian.Uint32(head[28:])}
	if h.pageSize == 1 {
		h.pageSize = 65536
	}
	h.usable = h.pageSize - int(head[20])
	encoding := binary.BigEndian.Uint32(head[56:])
	switch {
	case h.pageSize < 512 || h.pageSize&(h.pageSize-1) != 0 || h.usable < 480:
		return header{}, fmt.Errorf("its page size is %d: %w", h.pageSize, ErrTorn)
	case head[19] > 2:
		return header{}, fmt.Errorf("its format %d is newer than this program reads: %w", head[19], ErrForeign)
	case encoding > 1:
		return header{}, fmt.Errorf("its text is not UTF-8: %w", ErrForeign)
	}
	return h, nil
}

func newDatabase(f *os.File, wal *writeLog, s stamp) (*Database, error) {
	h := s.header
	db := &Database{main: f, pageSize: h.pageSize, usable: h.usable, pages: uint32(min(s.size/int64(h.pageSize), 1<<31))}
	if wal != nil && wal.commits > 0 {
		if wal.pageSize != h.pageSize {
			return nil, fmt.Errorf("its log has pages of %d bytes, not %d: %w", wal.pageSize, h.pageSize, ErrTorn)
		}
		db.wal, db.overlay, db.pages = wal.f, wal.frames, wal.pages
	}
	if db.pages == 0 || len(db.overlay) == 0 && s.size < int64(h.pages)*int64(h.pageSize) {
		return nil, fmt.Errorf("its file has %d bytes, and its header promises %d pages of %d: %w", s.size, h.pages, h.pageSize, ErrTorn)
	}
	return db, nil
}

// page reads page n, counted from 1.
func (d *Database) page(n uint32) ([]byte, error) {
	if n == 0 || n > d.pages {
		return nil, fmt.Errorf("it refers to page %d of %d: %w", n, d.pages, ErrTorn)
	}
	content := make([]byte, d.pageSize)
	from, at := d.main, int64(n-1)*int64(d.pageSize)
	if offset, ok := d.overlay[n]; ok {
		from, at = d.wal, offset
	}
	if _, err := from.ReadAt(content, at); err != nil {
		return nil, fmt.Errorf("page %d cannot be read (%w): %w", n, err, ErrTorn)
	}
	return content, nil
}

// stamp tells one state of the files from another.
type stamp struct {
	header
	head    [100]byte
	size    int64
	changed time.Time
	log     [32]byte // the header of the write-ahead log; zero without one
	journal bool     // a rollback journal holds something
}

// tick is how long after a change a second one may have got the same time: file systems go by a coarse clock.
const tick = 20 * time.Millisecond

// settled reports whether a change that comes after now makes another stamp. Without a log each one does, by the counter in the head;
// what is put into the file from a log may change its time only.
func (s stamp) settled(now time.Time) bool {
	return !s.inLog || now.Sub(s.changed).Abs() > tick
}

func stampOf(f *os.File, path string) (stamp, error) {
	var s stamp
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	s.size, s.changed = info.Size(), info.ModTime()
	if n, err := f.ReadAt(s.head[:], 0); err != nil {
		return s, fmt.Errorf("%s has %d bytes: %w", path, n, ErrForeign)
	}
	if s.header, err = parseHeader(s.head[:]); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.log, err = beginning(path + "-wal"); err != nil {
		return s, err
	}
	journal, err := beginning(path + "-journal")
	s.journal = [8]byte(journal[:8]) != [8]byte{}
	return s, err
}

// beginning is how the file at path begins; zeros where there is none.
func beginning(path string) (head [32]byte, err error) {
	f, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return head, nil
	}
	if err != nil {
		return head, err
	}
	defer f.Close()
	if _, err = f.ReadAt(head[:], 0); errors.Is(err, io.EOF) {
		err = nil
	}
	return head, err
}

// openPlain opens a regular file for reading. A pipe in its place must not make us wait, a device not act.
func openPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: %w", path, ErrForeign)
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
