package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"sandkeeper/internal/boltfile"
)

// storeFormat is the layout of the file: bucket "sandboxes" holds id → Tracked, bucket "state" holds id NUL extension →
// State, both as JSON; bucket "meta" holds this number.
const storeFormat = "1"

const (
	metaBucket    = "meta"
	sandboxBucket = "sandboxes"
	stateBucket   = "state"
	formatKey     = "format"
)

// Store keeps the records of sandboxes and the states of extensions in one bbolt file. Every change of a record and of
// the states that belong to it is one transaction: after a crash the file holds all of it or nothing. One process may
// have it open at a time.
type Store struct {
	db *bbolt.DB
	// atWrite is asked before each step of a transaction whether it may go on; tests kill the process there, or fill
	// the disk.
	atWrite func(step string) error
}

// OpenStore opens or creates the store, mode 0600, in a folder created 0700 if need be. It waits up to wait for another
// process to finish with the file; then the error wraps ErrBusy.
func OpenStore(path string, wait time.Duration) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("extension state %q is not a regular file", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	db, err := boltfile.Open(path, bbolt.Options{Timeout: max(wait, time.Millisecond)})
	switch {
	case errors.Is(err, boltfile.ErrDamaged):
		return nil, damaged(path, err)
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("extension state %q is used by another sandkeeper: %w", path, ErrBusy)
	case err != nil:
		return nil, fmt.Errorf("extension state %q: %w", path, err)
	}

	s := &Store{db: db, atWrite: func(string) error { return nil }}
	if err := s.update(prepare); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func prepare(tx *bbolt.Tx) error {
	for _, name := range []string{metaBucket, sandboxBucket, stateBucket} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}

	meta := tx.Bucket([]byte(metaBucket))
	format := meta.Get([]byte(formatKey))
	if format == nil {
		return meta.Put([]byte(formatKey), []byte(storeFormat))
	}
	if string(format) != storeFormat {
		return fmt.Errorf("its format is %q, this build knows %q; use the sandkeeper that wrote it", format, storeFormat)
	}
	return nil
}

// Close releases the file.
func (s *Store) Close() error { return s.db.Close() }

// entry is a sandbox with its states, as one transaction saw it.
type entry struct {
	Tracked
	states map[string]storedState
}

type storedState struct {
	State
	Updated time.Time `json:"updated"`
}

// get returns the sandbox with this id; found is false when there is none.
func (s *Store) get(id string) (e entry, found bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		data := tx.Bucket([]byte(sandboxBucket)).Get([]byte(id))
		if data == nil {
			return nil
		}
		found = true
		e, err = readEntry(tx, id, data)
		return err
	})
	return e, found, err
}

// all returns every tracked sandbox, by id.
func (s *Store) all() (entries []entry, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(sandboxBucket)).ForEach(func(id, data []byte) error {
			e, err := readEntry(tx, string(id), data)
			entries = append(entries, e)
			return err
		})
	})
	return entries, err
}

func readEntry(tx *bbolt.Tx, id string, data []byte) (entry, error) {
	e := entry{states: map[string]storedState{}}
	if err := json.Unmarshal(data, &e.Tracked); err != nil {
		return e, fmt.Errorf("record of sandbox %q is unreadable: %w", id, err)
	}
	prefix := stateKey(id, "")
	cursor := tx.Bucket([]byte(stateBucket)).Cursor()
	for key, value := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
		var state storedState
		name := string(key[len(prefix):])
		if err := json.Unmarshal(value, &state); err != nil {
			return e, fmt.Errorf("state of sandbox %q for extension %q is unreadable: %w", id, name, err)
		}
		e.states[name] = state
	}

	return e, nil
}

// save replaces all that is stored about e in one transaction. formerID is the id it was stored under before; "" when
// unchanged.
func (s *Store) save(e entry, formerID string) error {
	if err := checkID(e.ID); err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range []string{e.ID, formerID} {
			if err := erase(tx, id); err != nil {
				return err
			}
		}

		if err := errors.Join(s.atWrite("record"), putJSON(tx.Bucket([]byte(sandboxBucket)), []byte(e.ID), e.Tracked)); err != nil {
			return err
		}
		for name, state := range e.states {
			if err := errors.Join(s.atWrite("state"), putJSON(tx.Bucket([]byte(stateBucket)), stateKey(e.ID, name), state)); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove forgets a sandbox and all its states.
func (s *Store) remove(id string) error {
	return s.update(func(tx *bbolt.Tx) error { return erase(tx, id) })
}

func (s *Store) update(change func(*bbolt.Tx) error) error {
	err := sound(s.db.Path(), func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(s.atWrite("begin"), change(tx), s.atWrite("commit"))
		})
	})
	if errors.Is(err, ErrDamaged) {
		return err
	}
	if err != nil {
		return fmt.Errorf("extension state %q: %w", s.db.Path(), err)
	}
	return s.atWrite("committed")
}

func erase(tx *bbolt.Tx, id string) error {
	if id == "" {
		return nil
	}
	if err := tx.Bucket([]byte(sandboxBucket)).Delete([]byte(id)); err != nil {
		return err
	}
	prefix := stateKey(id, "")
	cursor := tx.Bucket([]byte(stateBucket)).Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Seek(prefix) {
		if err := cursor.Delete(); err != nil {
			return err
		}
	}

	return nil
}

func putJSON(b *bbolt.Bucket, key []byte, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

func stateKey(id, extension string) []byte { return []byte(id + "\x00" + extension) }

// checkID refuses ids that cannot be keys: NUL separates them from the extension's name.
func checkID(id string) error {
	if id == "" || len(id) > 512 || strings.ContainsRune(id, 0) {
		return fmt.Errorf("sandbox id %q cannot be stored", id)
	}
	return nil
}
