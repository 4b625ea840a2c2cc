package gatewaystate

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/disk"
	"sandkeeper/internal/journal"
)

// stateFiles are the files of a gateway's state that is being put back, under the names that they have meanwhile.
type stateFiles struct{ journal.StateRestore }

func (e stateFiles) fresh(path string) string { return path + ".sandkeeper-" + e.Backup + ".new" }

// aside is where what was there before is kept.
func (e stateFiles) aside(path string) string { return e.beside(path, ".before-"+e.Backup) }

// later is where what a gateway has written since is kept, when what was there before comes back.
func (e stateFiles) later(path string) string { return e.beside(path, ".after-"+e.Backup) }

// beside names a file that is kept. What SQLite keeps beside a database goes on belonging to it under the new name: a
// log that the database did not find would be lost to who opens it.
func (e stateFiles) beside(path, mark string) string {
	for _, suffix := range journal.WithSidecars("")[1:] {
		if database, ok := strings.CutSuffix(path, suffix); ok && slices.Contains(e.Files, database) {
			return database + mark + suffix
		}
	}
	return path + mark
}

// rollBack puts back what was there before and takes away what is new. It may be cut short and repeated. What was
// written since, by a gateway that was started on the half, is kept beside. A file goes back after what SQLite keeps
// beside it.
func (e stateFiles) rollBack(step func()) error {
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

	for _, dir := range e.Made {
		step()
		_ = os.Remove(dir) // one that is not empty holds what was written since
	}
	return errors.Join(problems...)
}

// setBack puts old back, which is path or lies beside it.
func (e stateFiles) setBack(path, old string, step func()) error {
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

// moved reports whether something else than before is in the place of old, or nothing. What was not there before may
// lie beside a file that was not moved yet: then it is that file's.
func (e stateFiles) moved(path, old string) (bool, error) {
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

// Interruption is a restore of a gateway's state that was killed.
type Interruption struct {
	journal.StateRestore
	Err error // it could not be taken back, for the gateway runs or a file could not be moved; the next run tries again
}

// Recover takes back what dead restores of gateways' states left, by the records on the shelf: every file is as it was
// before. stopped says why that gateway may be running; under a running gateway nothing is moved. Records that are left
// alone are in the second list, each with the reason.
func Recover(ctx context.Context, shelf journal.Shelf[journal.StateRestore], stopped func(ctx context.Context, gateway string) error) (found []Interruption, left []error) {
	for record, err := range shelf.Abandoned() {
		if err != nil {
			left = append(left, err)
			continue
		}
		i := Interruption{StateRestore: record.Value}
		if i.Placing {
			i.Err = stopped(ctx, i.Gateway)
		}
		if i.Err == nil {
			i.Err = stateFiles{record.Value}.rollBack(func() {})
		}
		if i.Err == nil {
			i.Err = record.Remove()
		}
		found = append(found, i)
	}
	return found, left
}
