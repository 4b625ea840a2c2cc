package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Scratch is a folder for what a run needs only while it works. The folder itself is locked as long as the run lives:
// the kernel lets go of the lock with the process that held it.
type Scratch struct {
	Dir  string
	lock *os.File
}

// scratchTries is how often a new folder may be taken for that of a killed run before it is locked.
const scratchTries = 10

// NewScratch makes a folder below parent whose name begins with prefix, after it has removed those of this user there
// whose runs were killed. An empty parent is the folder for temporary files.
func NewScratch(parent, prefix string) (*Scratch, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent, prefix)
	for range scratchTries {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		lock, err := lockFolder(dir)
		switch {
		case err == nil:
			return &Scratch{dir, lock}, nil
		case errors.Is(err, ErrHeld), errors.Is(err, errSwept): // a sweep of another run has it, or had
			continue
		case errors.Is(err, errUnlockable): // nobody can lock it there, and so nobody sweeps it
			return &Scratch{Dir: dir}, nil
		}
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	return nil, fmt.Errorf("every new folder %s was removed by other runs", filepath.Join(parent, prefix+"*"))
}

// Remove removes the folder with all that is in it.
func (s *Scratch) Remove() error {
	err := os.RemoveAll(s.Dir)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// sweep removes what killed runs have left. A folder that cannot be removed is no reason not to work.
func sweep(parent, prefix string) {
	left, _ := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range left {
		if lock, err := lockFolder(dir); err == nil {
			_ = errors.Join(os.RemoveAll(dir), lock.Close())
		}
	}
}

var (
	errSwept      = errors.New("it was removed by another run")
	errUnlockable = errors.New("it cannot be locked")
)

// lockFolder locks a folder of this user. The path is looked at again afterwards: another run may have removed the
// folder meanwhile.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errSwept
	}
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &stat)
	switch {
	case err != nil:
	case int(stat.Uid) != os.Geteuid():
		err = errUnlockable
	default:
		err = flock(f)
	}

	if err == nil && !stillAt(f, dir) {
		err = errSwept
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// flock takes the lock of a folder. The error is ErrHeld when another process has it, and errUnlockable on a file system
// without such locks, as that of a network may be.
func flock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrHeld
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		return errUnlockable
	}
	return os.NewSyscallError("flock", err)
}
