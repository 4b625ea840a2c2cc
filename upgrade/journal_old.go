package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"sandkeeper/internal/boltfile"
)

// Versions before the records kept the journal in one bbolt file: bucket "sandboxes" holds gateway NUL name → Entry as
// JSON, bucket "meta" the number of the format. A process that works with such a version has the file locked.
const (
	oldName    = "upgrade.db"
	oldFormat  = "1"
	oldMeta    = "meta"
	oldEntries = "sandboxes"
	oldKey     = "format"
)

// oldWait is how long another process may take to finish with the file.
const oldWait = 2 * time.Second

// takeOver makes records of what the old file holds, and removes it. It may be cut short and repeated.
func (j *Journal) takeOver() error {
	path := filepath.Join(j.dir, oldName)
	if gone, err := noOld(path); gone || err != nil {
		return err
	}
	db, err := openOld(path, bbolt.Options{Timeout: oldWait})
	if err != nil {
		return err
	}
	entries, err := readOld(db)
	for i := range entries {
		if err == nil {
			err = j.keep(&entries[i])
		}
	}

	if err == nil {
		err = os.Remove(path) // while we have it locked
	}
	return errors.Join(err, db.Close())
}

// keep makes a record of an entry, unless there is one: then that was made by a take-over that was cut short, or later.
func (j *Journal) keep(e *Entry) error {
	record, err := j.take(e)
	if err == nil && !record.Found {
		err = record.Put(*e)
	}
	return err
}

// peekOld reads the old file without changing anything.
func peekOld(path string) ([]Entry, error) {
	if gone, err := noOld(path); gone || err != nil {
		return nil, err
	}
	db, err := openOld(path, bbolt.Options{Timeout: 100 * time.Millisecond, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	entries, err := readOld(db)
	return entries, errors.Join(err, db.Close())
}

// noOld reports whether there is no old file. An empty one is what a disk without room left of a journal that was to be
// made.
func noOld(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("upgrade journal %s is not a regular file", path)
	}
	return info.Size() == 0, nil
}

func openOld(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	switch db, err = boltfile.Open(path, o); {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("upgrade journal %s: %w", path, ErrJournalBusy)
	case errors.Is(err, boltfile.ErrDamaged):
		return nil, damagedRecord(fmt.Errorf("%s: %w", path, err))
	}
	return nil, fmt.Errorf("upgrade journal %s: %w", path, err)
}

func readOld(db *bbolt.DB) (entries []Entry, err error) {
	err = boltfile.Sound(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if err := known(tx); err != nil {
				return fmt.Errorf("upgrade journal %s: %w", db.Path(), err)
			}
			bucket := tx.Bucket([]byte(oldEntries))
			if bucket == nil {
				return nil
			}
			return bucket.ForEach(func(key, data []byte) error {
				var e Entry
				if err := json.Unmarshal(data, &e); err != nil {
					return fmt.Errorf("%w: record %q: %w", boltfile.ErrDamaged, key, err)
				}
				entries = append(entries, e)
				return nil
			})
		})
	})
	if errors.Is(err, boltfile.ErrDamaged) {
		err = damagedRecord(fmt.Errorf("%s: %w", db.Path(), err))
	}
	return entries, err
}

// known refuses a journal of another build: what it holds must not be taken for nothing, nor for what it looks like.
func known(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(oldMeta))
	if meta == nil {
		return nil
	}
	if format := meta.Get([]byte(oldKey)); format != nil && string(format) != oldFormat {
		return fmt.Errorf("its format is %q, this build knows %q; use the sandkeeper that wrote it", format, oldFormat)
	}
	return nil
}
