package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"sandkeeper/internal/disk"
	"sandkeeper/internal/text"
)

// AuditFile is a Sink that appends OCSF events to a file, one JSON object on each line, each on disk before Write
// returns.
type AuditFile struct {
	mu   sync.Mutex
	file *os.File
}

// OpenAuditFile opens or creates the file, mode 0600, in a folder that is created 0700 if need be. A symlink, and a
// file that others may read or write, is refused. If the last run died within a line, that line is ended first, so that
// what follows can be read.
func OpenAuditFile(path string) (*AuditFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("audit file %q is a symlink; name the file itself", path)
	}
	if err != nil {
		return nil, fmt.Errorf("audit file: %w", err)
	}
	if err := readyToAppend(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &AuditFile{file: file}, nil
}

func readyToAppend(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("audit file %q is not a regular file", file.Name())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("audit file %q can be used by other users (mode %04o); run `chmod 600 %s`", file.Name(), info.Mode().Perm(), text.ShellWord(file.Name()))
	}
	torn, err := disk.Torn(file)
	if torn {
		_, err = file.Write([]byte("\n"))
	}
	return err
}

// Write appends one event in one write and syncs it.
func (a *AuditFile) Write(_ context.Context, event Event) error {
	line, err := event.MarshalOCSF()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("audit file: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("audit file: %w", err)
	}
	return nil
}

// Close closes the file.
func (a *AuditFile) Close() error { return a.file.Close() }
