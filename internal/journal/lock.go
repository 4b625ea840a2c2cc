package journal

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

	"golang.org/x/sys/unix"
)

// ErrNoLock means that a record has no lock file, so that nobody can tell whether its owner lives. Versions of
// sandkeeper before the locks wrote such records.
var ErrNoLock = errors.New("nothing proves that its owner is dead")

// Holder is what the owner of a lock says of itself. It is told to people and decides nothing.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// HeldError means that a living process holds the lock.
type HeldError struct {
	Path   string // of the lock file
	Holder Holder // zero where the holder left no word
}

// Error names the holder.
func (e *HeldError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s holds %s", e.Holder.Name(), e.Path)
	}
	return fmt.Sprintf("%s holds %s since %s", e.Holder.Name(), e.Path, e.Holder.Since.Format(time.RFC3339))
}

// Name is the holder in words.
func (h Holder) Name() string {
	if h.PID == 0 {
		return "a running process"
	}
	return fmt.Sprintf("process %d on %s", h.PID, h.Host)
}

// lockTries bounds how often a lock file that was replaced under us is opened again.
const lockTries = 100

// lock takes the lock file of that name, and makes it where mayMake. What it holds afterwards is the file that has the
// name: a lock on a file that was replaced meanwhile would shut nobody out. Errors: *HeldError, fs.ErrNotExist,
// ErrForeign.
func (f *folder) lock(name string, how int, mayMake bool) (*os.File, error) {
	for range lockTries {
		file, err := f.openLock(name, mayMake)
		if err != nil {
			return nil, err
		}
		f.step("lock")
		err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(&HeldError{Path: file.Name(), Holder: holderIn(file)}, file.Close())
		}
		if err != nil {
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: file.Name(), Err: err}, file.Close())
		}
		named, err := f.names(name, file)
		if named {
			return file, nil
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is replaced again and again", filepath.Join(f.dir, name))
}

// openLock opens the lock file. A new one is durable at once: a record that outlives a power cut must have its lock
// file beside it.
func (f *folder) openLock(name string, mayMake bool) (*os.File, error) {
	file, err := f.open(name, unix.O_RDWR)
	if !mayMake || !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if file, err = f.open(name, unix.O_RDWR|unix.O_CREAT); err != nil {
		return nil, err
	}
	f.tell("create", name)
	if err = errors.Join(file.Sync(), f.sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// names reports whether the open file still has the name.
func (f *folder) names(name string, file *os.File) (bool, error) {
	var here, there unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &here); err != nil {
		return false, err
	}
	err := unix.Fstatat(int(f.file.Fd()), name, &there, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil && here.Dev == there.Dev && here.Ino == there.Ino, err
}

// sign writes who we are into the lock file that we hold. A disk that is full leaves it empty, which hurts nobody.
func sign(file *os.File) {
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second)})
	if err == nil && file.Truncate(0) == nil {
		_, _ = file.WriteAt(append(text, '\n'), 0)
	}
}

// holderIn reads who holds the lock; what is unreadable stays unsaid.
func holderIn(file *os.File) Holder {
	text := make([]byte, 4096)
	n, _ := file.ReadAt(text, 0)
	var h Holder
	if json.Unmarshal(bytes.TrimSpace(text[:n]), &h) != nil || strings.ContainsFunc(h.Host, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Holder{}
	}
	return h
}
