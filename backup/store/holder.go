package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sandkeeper/internal/disk"
)

// Holder is the run that holds the store; nil when none does. It only looks: the word that a holder leaves counts while
// its process lives. Unlike Lock it cannot make another run's Lock fail.
func (s *Store) Holder() *LockedError {
	content, err := disk.ReadPlain(filepath.Join(s.root, lockHolderName), 1<<16)
	e := &LockedError{}
	if err != nil || json.Unmarshal(content, e) != nil || e.PID <= 0 {
		return nil
	}
	e.Path, e.Age = s.root, max(0, s.now().Sub(e.Since)).Round(time.Second)
	if host, err := os.Hostname(); err == nil && host != e.Host {
		return e // a store that several hosts share: whether the process lives cannot be seen from here
	}
	if err := syscall.Kill(e.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) || e.PID == os.Getpid() {
		return nil
	}
	return e
}
