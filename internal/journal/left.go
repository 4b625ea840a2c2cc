package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Abandoned takes, one after the other, every record whose owner is dead, and gives it up when the loop's body is done
// with it. A record that is left alone comes as an error that names it and says why: *HeldError, ErrForeign, ErrNoLock,
// or that it cannot be read. It never hides the others. No folder is no record.
func (s Shelf[E]) Abandoned() iter.Seq2[*Record[E], error] {
	return func(yield func(*Record[E], error) bool) {
		keys, err := s.keys()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, key := range keys {
			r, err := s.take(key, false)
			if errors.Is(err, fs.ErrNotExist) || err == nil && !r.Found {
				err = r.sweep()
				if err == nil {
					continue
				}
				r = nil
			}

			more := yield(r, err)
			_ = r.Close() // only a lock: what was written is synced
			if !more {
				return
			}
		}
	}
}

// sweep gives up a record that is none: its owner was done with it meanwhile, or died before the first Put was whole. A
// nil record is swept.
func (r *Record[E]) sweep() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.folder.remove(partPrefix+r.key+recordSuffix), r.Close())
}

// Seen is a record as a reader sees it, who changes nothing.
type Seen[E any] struct {
	Key   string
	Value E
	// Owner says who holds it: nil when its owner is dead.
	Owner *HeldError
	// Err says why it must not be acted on: ErrForeign, ErrNoLock, or that it cannot be read. Value may be zero then.
	Err error
}

// Look reads one record; found is false when there is none. It changes nothing, and makes nothing.
func (s Shelf[E]) Look(key string) (seen Seen[E], found bool, err error) {
	if !validKey().MatchString(key) {
		return seen, false, fmt.Errorf("%q cannot name a record", key)
	}
	f, err := s.ours()
	if errors.Is(err, fs.ErrNotExist) {
		return Seen[E]{}, false, nil
	}
	if err != nil {
		return Seen[E]{}, false, err
	}
	defer f.close()
	seen, found = s.look(f, key)
	return seen, found, nil
}

// All reads every record, by key. One that is damaged is among them, with its Err.
func (s Shelf[E]) All() ([]Seen[E], error) {
	keys, err := s.keys()
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	f, err := s.ours()
	if err != nil {
		return nil, err
	}
	defer f.close()
	var all []Seen[E]
	for _, key := range keys {
		if seen, found := s.look(f, key); found {
			all = append(all, seen)
		}
	}

	return all, nil
}

func (s Shelf[E]) look(f *folder, key string) (seen Seen[E], found bool) {
	seen.Key = key
	text, err := f.read(key + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return seen, false
	}
	if err == nil {
		seen.Value, err = s.decode(key, text)
	}
	seen.Owner, seen.Err = s.ownerOf(f, key)
	if err != nil {
		seen.Err = err
	}
	return seen, true
}

// ownerOf asks for the lock, and lets it go at once: a shared one, so that two who ask do not hinder each other.
func (s Shelf[E]) ownerOf(f *folder, key string) (*HeldError, error) {
	lock, err := f.lock(key+lockSuffix, unix.LOCK_SH, false)
	if err == nil {
		return nil, lock.Close()
	}
	if held, ok := errors.AsType[*HeldError](err); ok {
		return held, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.adopt {
		return nil, nil
	}
	return nil, s.noLock(f, key)
}

// keys names the records, sorted, also those of which only a part was written. A folder of another user holds nothing
// for us; that is an error only where something is in it.
func (s Shelf[E]) keys() ([]string, error) {
	f, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.close()
	names, err := f.file.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, name := range names {
		key, ok := strings.CutSuffix(strings.TrimPrefix(name, partPrefix), recordSuffix)
		if ok && validKey().MatchString(key) {
			keys = append(keys, key)
		}
	}

	if len(keys) == 0 {
		return nil, nil
	}
	slices.Sort(keys)
	return slices.Compact(keys), f.judge()
}
