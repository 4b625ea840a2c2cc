package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// Remove takes b out of the store: first from sight, in one step, then from the disk. Blocks that other backups need
// are kept before that; of an encrypted pack all of them, unless one of ids tells which these are.
func (s *Store) Remove(ctx context.Context, b Backup, ids archive.Identities) error {
	if err := errors.Join(sandboxname.CheckFolder(b.Sandbox), archive.ValidBackupID(b.ID)); err != nil {
		return err
	}
	if err := s.retire(ctx, b, ids); err != nil {
		return fmt.Errorf("remove backup %s of sandbox %q: keep what other backups need of it: %w", b.ID, b.Series().Address(), err)
	}
	parent := filepath.Dir(b.Dir)
	aside := filepath.Join(parent, disk.StagingPrefix+"remove-"+b.ID)
	if err := s.disk.Rename(filepath.Join(parent, b.ID), aside); err != nil {
		return fmt.Errorf("remove backup %s of sandbox %q: %w", b.ID, b.Series().Address(), err)
	}
	err := s.disk.SyncDir(parent)
	if err == nil {
		err = s.removeFolder(aside)
	}
	if err != nil {
		return fmt.Errorf("remove backup %s of sandbox %q (the next run sweeps what is left of it): %w", b.ID, b.Series().Address(), err)
	}
	return nil
}
