package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"

	"github.com/gofrs/flock"
)

// Lock is the right to change a store. The kernel takes it back when the process ends, however it ends.
type Lock struct {
	Swept []string // leftovers of dead runs that were removed, by path
	store *Store
	file  *flock.Flock
}

// LockedError says who holds the store. PID is 0 where the holder left no word.
type LockedError struct {
	Path    string    `json:"-"`
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`

	Age time.Duration `json:"-"` // for how long it had held the store when it was asked
}

// Error names the holder, and since when and for how long it holds the store.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another run", e.Path)
	}
	return fmt.Sprintf("%s is locked by process %d on %s (%q) since %s, for %s",
		e.Path, e.PID, e.Host, e.Command, e.Since.Format(time.RFC3339), e.Age)
}

// Lock takes the store for command, as soon as nobody else has it while Patience lasts, and sweeps what dead runs left.
// Errors: *LockedError, or what the disk says.
func (s *Store) Lock(command string) (*Lock, error) {
	if err := s.makeFolder(s.root); err != nil {
		return nil, err
	}
	file := flock.New(filepath.Join(s.root, lockName), flock.SetPermissions(0o600))
	for {
		got, err := file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", s.root, err)
		}
		if got {
			break
		}
		if held := s.holder(); s.Patience == nil || !s.Patience(held) {
			return nil, held
		}
	}

	host, _ := os.Hostname() // only told to people
	owner, err := json.Marshal(LockedError{PID: os.Getpid(), Host: host, Command: command, Since: s.now().UTC().Truncate(time.Second)})
	if err == nil {
		err = disk.ReplaceFile(s.disk, s.root, lockHolderName, append(owner, '\n'))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", s.root, err), file.Close())
	}
	l := &Lock{store: s, file: file}
	if l.Swept, err = s.sweep(); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l, nil
}

// holder reads who holds the store; what is unreadable stays unsaid.
func (s *Store) holder() *LockedError {
	e := &LockedError{}
	content, err := disk.ReadPlain(filepath.Join(s.root, lockHolderName), 1<<16)
	if err != nil || json.Unmarshal(content, e) != nil {
		e = &LockedError{}
	}
	e.Path, e.Age = s.root, max(0, s.now().Sub(e.Since)).Round(time.Second)
	return e
}

// Unlock gives the store back.
func (l *Lock) Unlock() error {
	err := disk.IgnoreMissing(l.store.disk.Remove(filepath.Join(l.store.root, lockHolderName)))
	return errors.Join(err, l.file.Close())
}

// sweep removes staging folders whose makers are dead. Called with the lock held; a folder that is in use all the same
// is left.
func (s *Store) sweep() ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(escapeGlob(s.root), "*", disk.StagingPrefix+"*"))
	if err != nil {
		return nil, err
	}
	packs, err := filepath.Glob(filepath.Join(escapeGlob(s.root), "*", archive.RetiredFolder, disk.StagingPrefix+"*"))
	if err != nil {
		return nil, err
	}
	folders = append(folders, packs...)
	var swept []string
	for _, dir := range folders {
		if s.refuseLink(filepath.Dir(dir)) != nil {
			continue // it lies elsewhere
		}
		err := s.sweepFolder(dir)
		if errors.Is(err, disk.ErrHeld) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return swept, fmt.Errorf("remove leftover %s: %w", dir, err)
		}
		swept = append(swept, dir)
	}

	return swept, nil
}

func (s *Store) sweepFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return s.disk.Remove(dir)
	}
	guard, err := disk.HoldFolder(dir)
	if err != nil {
		return err
	}
	defer guard.Close()
	return s.removeFolder(dir)
}

// removeFolder removes a folder of the store, which has files only, and the folder.
func (s *Store) removeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := disk.IgnoreMissing(s.disk.Remove(filepath.Join(dir, e.Name()))); err != nil {
			return err
		}
	}

	if err := s.disk.Remove(dir); err != nil {
		return err
	}
	return s.disk.SyncDir(filepath.Dir(dir))
}

// escapeGlob quotes what Glob would take for a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
