package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sandkeeper/internal/journal"
)

// JournalName is the journal's folder in sandkeeper's state folder.
const JournalName = "upgrading"

// Errors of the journal. Test with errors.Is.
var (
	ErrJournalBusy    = errors.New("another upgrade is running")
	ErrJournalDamaged = errors.New("the file is damaged")
)

// Journal keeps, for each sandbox whose upgrade is not finished, how far it is and everything that is needed to finish
// it or to undo it, the recipe included: one record for each sandbox, mode 0600, whole and with the last step that was
// entered also after a crash. A record belongs to the process that entered it or goes on with it, and to nobody once
// that is dead. So an upgrade shuts out others of its own sandbox only.
type Journal struct {
	dir   string
	shelf journal.Shelf[Entry]
	now   func() time.Time

	mu  sync.Mutex
	own map[string]*journal.Record[Entry] // by key
}

// OpenJournal opens the journal in dir, which is made 0700 when the first record is, and takes over what a version
// before the records has left there. Errors: ErrJournalBusy, ErrJournalDamaged, both of that version's file.
func OpenJournal(dir string, now func() time.Time) (*Journal, error) {
	j := &Journal{dir: dir, shelf: upgrades(dir), now: now, own: map[string]*journal.Record[Entry]{}}
	return j, j.takeOver()
}

func upgrades(dir string) journal.Shelf[Entry] {
	return journal.NewShelf(filepath.Join(dir, JournalName), journal.Kind[Entry]{
		About: func(e Entry) string { return fmt.Sprintf("the upgrade of sandbox %q", e.Address()) },
		Check: func(key string, e Entry) error {
			if e.key() != key {
				return errors.New("it speaks of another sandbox than its name")
			}
			return nil
		},
	})
}

// Close gives up what this process has entered. What is unfinished stays on disk.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var problems []error
	for key, record := range j.own {
		problems = append(problems, record.Close())
		delete(j.own, key)
	}
	return errors.Join(problems...)
}

// Dir is the folder that the journal lies in; logs of rebuilds lie there too.
func (j *Journal) Dir() string { return j.dir }

// Entries are the unfinished upgrades, by gateway and name. The error wraps ErrJournalBusy when another process is at
// work on one, and ErrJournalDamaged when one cannot be read; the others are there all the same.
func (j *Journal) Entries() ([]Entry, error) {
	pending, err := j.pending()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	var problems []error
	for _, p := range pending {
		if p.Problem == nil {
			entries = append(entries, p.Entry)
		}
		problems = append(problems, p.Problem)
	}

	return sorted(entries), errors.Join(problems...)
}

func sorted(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int {
		return strings.Compare(a.Gateway+"\x00"+a.Address(), b.Gateway+"\x00"+b.Address())
	})
	return entries
}

func damagedRecord(err error) error {
	return fmt.Errorf("upgrade journal: %w: %w; `sandkeeper backups list` shows what is saved, move the file away to go on without it", ErrJournalDamaged, err)
}

// Enter moves e to step and stores all of it; when it returns, it is on disk, and e's sandbox is this process's own
// until Forget or Close. The error wraps ErrJournalBusy when it is another's.
func (j *Journal) Enter(e *Entry, step Step) error {
	touched := !e.Untouched() // also in the record of a build that did not keep it
	e.Step, e.Updated = step, j.now().UTC()
	e.Touched = touched || !e.beforeAnything()
	record, err := j.take(e)
	if err == nil {
		err = record.Put(*e)
	}
	if err != nil {
		return fmt.Errorf("upgrade journal: %w", err)
	}
	return nil
}

// Forget removes e: its upgrade is finished, one way or the other.
func (j *Journal) Forget(e *Entry) error {
	record, err := j.take(e)
	if err != nil {
		return fmt.Errorf("upgrade journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.own, e.key())
	return errors.Join(record.Remove(), record.Close())
}

// take is the record of e's sandbox, which is this process's own from now on.
func (j *Journal) take(e *Entry) (*journal.Record[Entry], error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := e.key()
	if record := j.own[key]; record != nil {
		return record, nil
	}
	record, err := j.shelf.Own(context.Background(), key)
	if _, held := errors.AsType[*journal.HeldError](err); held {
		return nil, fmt.Errorf("sandbox %q: %w: %w", e.Address(), ErrJournalBusy, err)
	}
	if err != nil {
		return nil, err
	}
	j.own[key] = record
	return record, nil
}

func (j *Journal) owns(key string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.own[key] != nil
}
