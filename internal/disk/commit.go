package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// StagingPrefix marks folders that are not backups: being written, being removed, or left by a run that died.
const StagingPrefix = ".tmp-"

// Staging is a folder that becomes visible under its name whole or not at all: files are written and synced aside, the
// folder is synced, renamed, and its parent synced. While its maker lives the folder is locked, so that no sweep takes
// it away.
type Staging struct {
	disk   FS
	parent string // folder that holds the backups of one sandbox
	name   string // final name in parent
	Dir    string
	files  []string
	guard  *os.File
}

// Stage makes the folder. parent must exist.
func Stage(d FS, parent, name string) (*Staging, error) {
	s := &Staging{disk: d, parent: parent, name: name, Dir: filepath.Join(parent, StagingPrefix+name)}
	if err := d.Mkdir(s.Dir); err != nil {
		return nil, fmt.Errorf("make %s: %w", s.Dir, err)
	}
	guard, err := HoldFolder(s.Dir)
	if err != nil {
		return nil, errors.Join(err, d.Remove(s.Dir))
	}
	s.guard = guard
	return s, nil
}

// Create makes one file of the folder; the caller writes it and closes it with FinishFile.
func (s *Staging) Create(name string) (File, error) {
	f, err := s.disk.Create(filepath.Join(s.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	s.files = append(s.files, name)
	return f, nil
}

// FinishFile makes a file's bytes durable and closes it.
func FinishFile(f File, name string) error {
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", name, err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	return nil
}

// Write makes one file of the folder with content.
func (s *Staging) Write(name string, content []byte) error {
	f, err := s.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
	}
	return FinishFile(f, name)
}

// Publish makes the folder visible. After an error of the last step the folder is visible and whole, but may not
// outlive a power cut; the error says so.
func (s *Staging) Publish() error {
	final := filepath.Join(s.parent, s.name)
	if _, err := os.Lstat(final); err == nil {
		return fmt.Errorf("%s exists already", final)
	}
	if err := s.disk.SyncDir(s.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.Dir, err)
	}
	if err := s.disk.Rename(s.Dir, final); err != nil {
		return fmt.Errorf("put %s in place: %w", final, err)
	}
	s.files = nil
	s.release()
	if err := s.disk.SyncDir(s.parent); err != nil {
		return fmt.Errorf("%s is in place but may not outlive a power cut: sync %s: %w", final, s.parent, err)
	}
	return nil
}

// Discard removes what was staged, newest file first; after publish it does nothing. What cannot be removed now is
// swept later.
func (s *Staging) Discard() error {
	if s.guard == nil {
		return nil
	}
	var errs []error
	for i := len(s.files) - 1; i >= 0; i-- {
		errs = append(errs, IgnoreMissing(s.disk.Remove(filepath.Join(s.Dir, s.files[i]))))
	}
	errs = append(errs, IgnoreMissing(s.disk.Remove(s.Dir)))
	s.release()
	return errors.Join(errs...)
}

func (s *Staging) release() {
	if s.guard != nil {
		_ = s.guard.Close() // only a lock: nothing was written through it
		s.guard = nil
	}
}

// ErrHeld means that another live process is at work in the folder.
var ErrHeld = errors.New("in use by a running process")

// HoldFolder locks a folder until the returned file is closed or the process ends, however it ends. The error is
// fs.ErrNotExist also where another process removed the folder before it was locked.
func HoldFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = flock(f)
	if errors.Is(err, errUnlockable) {
		return f, nil // there is the run's lock only
	}
	if err == nil && !stillAt(f, dir) {
		err = fs.ErrNotExist
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	return nil, fmt.Errorf("%s: %w", dir, err)
}

// stillAt reports whether an open folder is the one at dir.
func stillAt(f *os.File, dir string) bool {
	held, err := f.Stat()
	now, gone := os.Lstat(dir)
	return err == nil && gone == nil && os.SameFile(held, now)
}

// ReplaceFile makes dir/name hold content, whole or not at all.
func ReplaceFile(d FS, dir, name string, content []byte) error {
	return StreamFile(d, dir, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// StreamFile is ReplaceFile for content that is written piece by piece.
func StreamFile(d FS, dir, name string, write func(io.Writer) error) (err error) {
	part := filepath.Join(dir, StagingPrefix+name)
	if err := IgnoreMissing(d.Remove(part)); err != nil {
		return err
	}
	f, err := d.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, IgnoreMissing(d.Remove(part)))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
	}
	if err := FinishFile(f, name); err != nil {
		return err
	}
	if err := d.Rename(part, filepath.Join(dir, name)); err != nil {
		return err
	}
	return d.SyncDir(dir)
}
