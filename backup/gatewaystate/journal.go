package gatewaystate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/internal/disk"
)

// PlacingEntry is the journal's word on a gateway's state that is being put back: enough to take it back without the process that
// did it.
type PlacingEntry struct {
	Gateway string    `json:"gateway"`
	Backup  string    `json:"backup"`
	Files   []string  `json:"files"`         // their places; what is new lies beside them until it is in place
	Had     []string  `json:"had,omitempty"` // what was there before: it is in its place, or aside
	Placing bool      `json:"placing"`       // false: nothing was moved yet
	PID     int       `json:"pid"`
	Started int64     `json:"started"` // when that process started, ms since 1970
	At      time.Time `json:"at"`      // when the restore began, in whole seconds; what is new was last changed then, by its own word
}

func (e PlacingEntry) ownerLives() bool { return home.Lives(e.PID, e.Started) }

func (e PlacingEntry) fresh(path string) string { return path + ".sandkeeper-" + e.Backup + ".new" }

func (e PlacingEntry) aside(path string) string { return path + ".before-" + e.Backup }

// later is where what a gateway has written since is kept, when what was there before comes back.
func (e PlacingEntry) later(path string) string { return path + ".after-" + e.Backup }

// placingJournal has one file for every gateway whose state is being put back.
type placingJournal struct{ dir string }

func placingJournalIn(restoring string) placingJournal {
	return placingJournal{filepath.Join(restoring, "gateways")}
}

func (j placingJournal) records() home.Records[PlacingEntry] {
	return home.Records[PlacingEntry]{Dir: j.dir, Decode: decodePlacing}
}

func (j placingJournal) put(e PlacingEntry) error { return j.records().Put(placingKey(e.Gateway), e) }

func (j placingJournal) remove(e PlacingEntry) error {
	return j.records().Remove(placingKey(e.Gateway))
}

func placingKey(gateway string) string { return home.ExecKey(gateway, "") }

// decodePlacing reads one entry. What it names is removed and renamed, so it must be what a restore made.
func decodePlacing(key string, text []byte) (PlacingEntry, error) {
	var e PlacingEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("journal %s of a gateway's state is not readable: %w", key, err)
	}
	if placingKey(e.Gateway) != key || !archive.ValidID(e.Backup) {
		return e, fmt.Errorf("journal %s of a gateway's state does not name it and its backup", key)
	}
	var places []string
	for _, path := range e.Files {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			return e, fmt.Errorf("journal of the state of gateway %q names %q, which is no place", e.Gateway, path)
		}
		places = append(places, withJournals(path)...)
	}
	for _, old := range e.Had {
		if !slices.Contains(places, old) {
			return e, fmt.Errorf("journal of the state of gateway %q names %q, which is none of its files", e.Gateway, old)
		}
	}
	return e, nil
}

// rollBack puts back what was there before and takes away what is new. It may be cut short and repeated. What was written since, by
// a gateway that was started on the half, is kept beside. A file goes back after what SQLite keeps beside it.
func (e PlacingEntry) rollBack(step func()) error {
	var problems []error
	for _, path := range e.Files {
		if e.Placing {
			for _, old := range slices.Backward(e.family(path)) {
				problems = append(problems, e.setBack(path, old, step))
			}
		}
		step()
		problems = append(problems, disk.IgnoreMissing(os.Remove(e.fresh(path))))
		problems = append(problems, disk.IgnoreMissing(disk.Real{}.SyncDir(filepath.Dir(path))))
	}
	return errors.Join(problems...)
}

// setBack puts old back, which is path or lies beside it.
func (e PlacingEntry) setBack(path, old string, step func()) error {
	had := slices.Contains(e.Had, old)
	moved, err := e.moved(path, old)
	if err != nil || !moved {
		return err
	}
	if info, err := os.Lstat(old); err == nil && !info.ModTime().Equal(e.At) {
		step()
		if err := os.Rename(old, e.later(old)); err != nil {
			return err
		}
	}
	step()
	if had {
		return os.Rename(e.aside(old), old)
	}
	return disk.IgnoreMissing(os.Remove(old))
}

// moved reports whether something else than before is in the place of old, or nothing. What was not there before may lie beside a
// file that was not moved yet: then it is that file's.
func (e PlacingEntry) moved(path, old string) (bool, error) {
	if slices.Contains(e.Had, old) {
		return exists(e.aside(old))
	}
	if slices.Contains(e.Had, path) {
		return exists(e.aside(path))
	}
	waits, err := exists(e.fresh(path))
	if err != nil || waits {
		return false, err
	}
	return exists(old)
}

// exists reports whether there is something of that name; what cannot be seen is an error.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// GatewayInterruption is a restore of a gateway's state that was killed.
type GatewayInterruption struct {
	PlacingEntry
	Err error // it could not be taken back, for the gateway runs or a file could not be moved; the next run tries again
}

// RecoverGatewayStates takes back what restores of gateways' states left whose process is dead, by the journal in dir (see
// RestoringDir): every file is as it was before. stopped says why that gateway may be running; under one that runs nothing is moved.
func RecoverGatewayStates(ctx context.Context, dir string, stopped func(ctx context.Context, gateway string) error) ([]GatewayInterruption, error) {
	j := placingJournalIn(dir)
	entries, err := j.records().List()
	var found []GatewayInterruption
	for _, entry := range entries {
		if entry.ownerLives() {
			continue
		}
		i := GatewayInterruption{PlacingEntry: entry}
		if entry.Placing {
			i.Err = stopped(ctx, entry.Gateway)
		}
		if i.Err == nil {
			i.Err = entry.rollBack(func() {})
		}
		if i.Err == nil {
			i.Err = j.remove(entry)
		}
		found = append(found, i)
	}
	return found, err
}
