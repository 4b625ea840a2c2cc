package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sandkeeper/internal/disk"
)

// Record is the right to write one record, which lasts until Close or until the process ends.
type Record[E any] struct {
	Value E    // as read when the lock was taken, or as put since
	Found bool // there is one on disk

	shelf  Shelf[E]
	key    string
	folder *folder
	lock   *os.File
}

// lockWait is how long Own waits for a process that is about to let go, such as a reader that only asks whether the
// owner lives.
const (
	lockWait  = 3 * time.Second
	lockRetry = 20 * time.Millisecond
)

// Own takes the record of that key, made if need be, and reads what another run has left of it. The folder is made
// 0700. It waits a few seconds for another owner. Errors: *HeldError, ErrNoLock, ErrForeign, or that what is left
// cannot be read.
func (s Shelf[E]) Own(ctx context.Context, key string) (*Record[E], error) {
	if !validKey().MatchString(key) {
		return nil, fmt.Errorf("%q cannot name a record", key)
	}
	if err := s.makeFolder(s.dir); err != nil {
		return nil, orFull(err, filepath.Dir(s.dir))
	}
	for until := time.Now().Add(lockWait); ; {
		r, err := s.take(key, true)
		if _, held := errors.AsType[*HeldError](err); !held || !time.Now().Before(until) {
			return r, orFull(err, s.dir)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockRetry):
		}
	}
}

// makeFolder makes the shelf's folder and what lies above it, each durable in the one above: a record in a folder that
// a power cut takes away is no record.
func (s Shelf[E]) makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above == dir {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR}
	}
	if err := s.makeFolder(above); err != nil {
		return err
	}
	err := disk.IgnoreExists(os.Mkdir(dir, 0o700))
	if err != nil {
		return err
	}
	s.watch("mkdir", dir)
	err = disk.Real{}.SyncDir(above)
	s.watch("sync folder", above)
	return err
}

// take takes the lock without waiting and then, never before, reads the record.
func (s Shelf[E]) take(key string, mayMake bool) (*Record[E], error) {
	f, err := s.ours()
	if err != nil {
		return nil, err
	}
	r := &Record[E]{shelf: s, key: key, folder: f}
	if err := r.acquire(mayMake); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.load(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	sign(r.lock)
	return r, nil
}

func (r *Record[E]) acquire(mayMake bool) (err error) {
	name := r.key + lockSuffix
	r.lock, err = r.folder.lock(name, unix.LOCK_EX, false)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	orphan, err := r.folder.has(r.key + recordSuffix)
	switch {
	case err != nil:
		return err
	case orphan && !r.shelf.adopt:
		return r.shelf.noLock(r.folder, r.key)
	case !orphan && !mayMake:
		return &fs.PathError{Op: "lock", Path: r.shelf.LockPath(r.key), Err: fs.ErrNotExist}
	}

	r.lock, err = r.folder.lock(name, unix.LOCK_EX, true)
	return err
}

// noLock names the record, and what it is about where that can be read.
func (s Shelf[E]) noLock(f *folder, key string) error {
	about := ""
	if text, err := f.read(key + recordSuffix); err == nil {
		if e, err := s.decode(key, text); err == nil {
			about = s.about(e) + ": "
		}
	}
	return fmt.Errorf("%s%s has no lock file: %w; an earlier version of sandkeeper writes none: when none runs, \"touch %s\" gives it free",
		about, s.Path(key), ErrNoLock, s.LockPath(key))
}

func (r *Record[E]) load() error {
	text, err := r.folder.read(r.key + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		r.Value, err = r.shelf.decode(r.key, text)
	}
	r.Found = err == nil
	return err
}

// Key is the record's name.
func (r *Record[E]) Key() string { return r.key }

// Put replaces the record; it is durable once Put returns.
func (r *Record[E]) Put(e E) error {
	if err := r.shelf.check(r.key, e); err != nil {
		return fmt.Errorf("%s: %w", r.shelf.Path(r.key), err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(text) >= recordLimit {
		return fmt.Errorf("%s would have %d bytes", r.shelf.Path(r.key), len(text))
	}
	if err := r.still(); err != nil {
		return err
	}
	if err := r.folder.replace(r.key+recordSuffix, append(text, '\n')); err != nil {
		return orFull(err, r.shelf.dir)
	}
	r.Value, r.Found = e, true
	return nil
}

// Remove takes the record away, durably: what it names is done. The lock stays ours.
func (r *Record[E]) Remove() error {
	if err := r.still(); err != nil {
		return err
	}
	name := r.key + recordSuffix
	if err := errors.Join(r.folder.remove(partPrefix+name), r.folder.remove(name), r.folder.sync()); err != nil {
		return err
	}
	r.Found = false
	return nil
}

// still fails when our lock shuts nobody out any more.
func (r *Record[E]) still() error {
	named, err := r.folder.names(r.key+lockSuffix, r.lock)
	if err == nil && !named {
		err = fmt.Errorf("%s was removed or replaced while it was held", r.shelf.LockPath(r.key))
	}
	return err
}

// Close gives the record up. What is on disk stays, for the next who takes it. A nil record is closed.
func (r *Record[E]) Close() error {
	if r == nil {
		return nil
	}
	var err error
	if r.lock != nil {
		err = r.lock.Close()
	}
	return errors.Join(err, r.folder.close())
}
