package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// journalFormat is the layout of the file: bucket "sandboxes" holds gateway NUL name → Entry as JSON, bucket "meta" this number.
const (
	journalFormat  = "1"
	journalMeta    = "meta"
	journalEntries = "sandboxes"
	journalKey     = "format"
)

// JournalName is the journal's file in sandkeeper's state folder.
const JournalName = "upgrade.db"

// journalWait is how long another process may take to finish with the file.
const journalWait = 2 * time.Second

// Errors of the journal. Test with errors.Is.
var (
	ErrJournalBusy    = errors.New("another upgrade is running")
	ErrJournalDamaged = errors.New("the file is damaged")
)

// Journal keeps, for each sandbox whose upgrade is not finished, how far it is and everything that is needed to finish it or to undo
// it, the recipe included. It is one bbolt file, mode 0600: after a crash it holds the last step that was entered, whole. One process
// at a time has it open, so that an open journal is also the lock of all upgrades of this user.
type Journal struct {
	db  *bbolt.DB
	now func() time.Time
}

// OpenJournal opens or creates the journal in dir, which is made 0700 if need be. Errors: ErrJournalBusy, ErrJournalDamaged.
func OpenJournal(dir string, now func() time.Time) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("upgrade journal: %w", err)
	}
	path := filepath.Join(dir, JournalName)
	db, err := openBolt(path, bbolt.Options{Timeout: journalWait})
	if err != nil {
		return nil, err
	}
	j := &Journal{db: db, now: now}
	if err := j.update(prepareJournal); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return j, nil
}

// PeekJournal returns what is unfinished without changing anything: no file is made or written. No journal means nothing, and so does
// an empty file, which is what a disk without room leaves of a journal that was to be made.
func PeekJournal(dir string) ([]Entry, error) {
	path := filepath.Join(dir, JournalName)
	info, err := os.Lstat(path)
	if dir == "" || errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	db, err := openBolt(path, bbolt.Options{Timeout: 100 * time.Millisecond, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	j := &Journal{db: db}
	entries, err := j.Entries()
	return entries, errors.Join(err, db.Close())
}

func openBolt(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("upgrade journal %s is not a regular file", path)
	}
	err = intact(path, func() (err error) {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	switch {
	case err == nil || errors.Is(err, ErrJournalDamaged):
		return db, err
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("upgrade journal %s: %w", path, ErrJournalBusy)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("upgrade journal %s: %w", path, err)
	}
	return nil, damagedJournal(path, err) // bbolt has no name for some of it: "file size too small"
}

// intact runs do, and makes an error of a file so damaged that bbolt would panic, or touch memory that is not there.
func intact(path string, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if trouble := recover(); trouble != nil {
			err = damagedJournal(path, trouble)
		}
	}()
	return do()
}

func damagedJournal(path string, why any) error {
	return fmt.Errorf("upgrade journal %s: %w (%v); `sandkeeper backups list` shows what is saved, move the file away to go on without it", path, ErrJournalDamaged, why)
}

func prepareJournal(tx *bbolt.Tx) error {
	for _, name := range []string{journalMeta, journalEntries} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	if err := known(tx); err != nil {
		return err
	}
	return tx.Bucket([]byte(journalMeta)).Put([]byte(journalKey), []byte(journalFormat))
}

// known refuses a journal of another build: what it holds must not be taken for nothing, nor for what it looks like.
func known(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(journalMeta))
	if meta == nil {
		return nil
	}
	if format := meta.Get([]byte(journalKey)); format != nil && string(format) != journalFormat {
		return fmt.Errorf("its format is %q, this build knows %q; use the sandkeeper that wrote it", format, journalFormat)
	}
	return nil
}

// Close releases the file.
func (j *Journal) Close() error { return j.db.Close() }

// Dir is the folder of the journal; logs of rebuilds lie beside it.
func (j *Journal) Dir() string { return filepath.Dir(j.db.Path()) }

// Entries are the unfinished upgrades, by gateway and name.
func (j *Journal) Entries() (entries []Entry, err error) {
	err = intact(j.db.Path(), func() error {
		return j.db.View(func(tx *bbolt.Tx) error {
			if err := known(tx); err != nil {
				return fmt.Errorf("upgrade journal %s: %w", j.db.Path(), err)
			}
			bucket := tx.Bucket([]byte(journalEntries))
			if bucket == nil {
				return nil
			}
			return bucket.ForEach(func(key, data []byte) error {
				var e Entry
				if err := json.Unmarshal(data, &e); err != nil {
					return damagedJournal(j.db.Path(), fmt.Errorf("record %q: %w", key, err))
				}
				entries = append(entries, e)
				return nil
			})
		})
	})
	return entries, err
}

// Enter moves e to step and stores all of it; when it returns, it is on disk.
func (j *Journal) Enter(e *Entry, step Step) error {
	e.Step, e.Updated = step, j.now().UTC()
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return j.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(journalEntries)).Put(e.key(), data) })
}

// Forget removes e: its upgrade is finished, one way or the other.
func (j *Journal) Forget(e *Entry) error {
	return j.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(journalEntries)).Delete(e.key()) })
}

func (j *Journal) update(change func(*bbolt.Tx) error) error {
	err := intact(j.db.Path(), func() error { return j.db.Update(change) })
	if err != nil && !errors.Is(err, ErrJournalDamaged) {
		return fmt.Errorf("upgrade journal %s: %w", j.db.Path(), err)
	}
	return err
}
