package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sandkeeper/internal/disk"
)

// Saved is one state of a database, in files that have no name any more: they are gone when they are closed.
type Saved struct {
	Main    *os.File
	Journal *os.File // of a transaction that did not end, as it lay beside Main; nil without one
}

// Close closes the files.
func (s Saved) Close() error {
	err := s.Main.Close()
	if s.Journal != nil {
		err = errors.Join(err, s.Journal.Close())
	}
	return err
}

// Save gives one state of the database at path, and changes nothing. A database that a process has open is saved by
// SQLite's backup call, under SQLite's locks. Of a database that nobody has open a private copy is saved, with its log
// put into it. A transaction that a dead process left unfinished is not rolled back: the database and its journal are
// saved as they lie, and whoever opens them next rolls it back.
func Save(ctx context.Context, path string) (Saved, error) {
	if len(OpenedBy(path)) > 0 && sharable(path) {
		if saved, err := saveLive(ctx, path); !wantsRollback(err) {
			return saved, err
		}
	}

	s, err := takeSnapshot(ctx, path)
	if errors.Is(err, errBusy) && sharable(path) {
		return saveLive(ctx, path) // a process that we may not look into has it open
	}
	if err != nil {
		return Saved{}, err
	}
	saved, err := s.save(ctx)
	return saved, errors.Join(err, s.remove())
}

// sharable reports whether SQLite can read the database at path without making a file beside it: only one in WAL mode
// needs one, and it is there as long as a process has the database open.
func sharable(path string) bool {
	f, err := openPlain(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := f.ReadAt(head, 0); err != nil {
		return false
	}
	const readVersion, wal = 19, 2 // https://www.sqlite.org/fileformat2.html, "File format version numbers"
	if head[readVersion] != wal {
		return true
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	_, err = os.Lstat(real + "-shm")
	return err == nil
}

// saveLive saves a database that another process has open. A journal that appears at the wrong moment looks like the
// journal that a dead process left: then it is tried again.
func saveLive(ctx context.Context, path string) (saved Saved, err error) {
	_, _ = sqlite.OFDLocking(true) // on Linux: a look at the same file then takes no lock away
	dir, err := disk.NewScratch("", scratchPrefix)
	if err != nil {
		return Saved{}, err
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()
	for try := range copyTries {
		saved, err = backUp(ctx, address(path, "ro"), filepath.Join(dir.Dir, fmt.Sprintf("saved-%d.db", try)))
		if !wantsRollback(err) || !wait(ctx, copyPause) {
			break
		}
	}

	return saved, err
}

// wantsRollback reports whether SQLite refused to read a database before the journal beside it is rolled back.
func wantsRollback(err error) bool {
	problem, ok := errors.AsType[*sqlite.Error](err)
	return ok && problem.Code() == sqlite3.SQLITE_READONLY_ROLLBACK
}

// save makes a private copy the state that is saved: what its log holds is put into it, and else it stays as it is.
func (s snapshot) save(ctx context.Context) (Saved, error) {
	if s.hot {
		return s.saveUnfinished()
	}
	db, err := openAddress(address(s.path, "rw"))
	if err != nil {
		return Saved{}, err
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(err, db.Close()); err != nil {
		return Saved{}, err
	}
	return opened(s.path)
}

func (s snapshot) saveUnfinished() (Saved, error) {
	saved, err := opened(s.path)
	if err != nil {
		return Saved{}, err
	}
	if saved.Journal, err = os.Open(s.path + journalSuffix); err != nil {
		return Saved{}, errors.Join(err, saved.Close())
	}
	return saved, nil
}

// opened is the file at path as what was saved. A database that holds nothing is none yet.
func opened(path string) (Saved, error) {
	main, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Saved{}, errEmpty
	}
	if err != nil {
		return Saved{}, err
	}
	if info, err := main.Stat(); err != nil || info.Size() == 0 {
		return Saved{}, errors.Join(errEmpty, err, main.Close())
	}
	return Saved{Main: main}, nil
}

var errEmpty = errors.New("it is empty")

// backUp has SQLite copy the database at an address into a new file.
func backUp(ctx context.Context, from, to string) (saved Saved, err error) {
	db, err := openAddress(from)
	if err != nil {
		return Saved{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return Saved{}, err
	}
	if err := errors.Join(conn.Raw(func(driver any) error { return copyPages(driver, to) }), conn.Close()); err != nil {
		return Saved{}, err
	}
	return opened(to)
}

// copyPages copies all pages in one step, and so under one lock: a writer waits meanwhile, unless the database is in
// WAL mode.
func copyPages(driver any, to string) error {
	source, ok := driver.(interface {
		NewBackup(to string) (*sqlite.Backup, error)
	})
	if !ok {
		return fmt.Errorf("the SQLite driver %T has no backup call", driver)
	}
	b, err := source.NewBackup(to)
	if err != nil {
		return err
	}
	_, err = b.Step(-1)
	return errors.Join(err, b.Finish())
}
