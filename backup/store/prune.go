package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// Remove takes b out of the store: first from sight, in one step, then from the disk. Bytes that other backups share stay.
func (s *Store) Remove(b Backup) error {
	if err := errors.Join(sandboxname.CheckFolder(b.Sandbox), archive.ValidBackupID(b.ID)); err != nil {
		return err
	}
	parent := filepath.Dir(b.Dir)
	aside := filepath.Join(parent, disk.StagingPrefix+"remove-"+b.ID)
	if err := s.disk.Rename(filepath.Join(parent, b.ID), aside); err != nil {
		return fmt.Errorf("remove backup %s of sandbox %q: %w", b.ID, b.Sandbox, err)
	}
	err := s.disk.SyncDir(parent)
	if err == nil {
		err = s.removeFolder(aside)
	}
	if err != nil {
		return fmt.Errorf("remove backup %s of sandbox %q (the next run sweeps what is left of it): %w", b.ID, b.Sandbox, err)
	}
	return nil
}
