package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// ExportFile is Export into a file that appears whole or not at all, 0600. A file that is there already is never replaced: the error
// wraps fs.ErrExist.
func (s *Store) ExportFile(ctx context.Context, b Backup, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	switch _, err := os.Lstat(abs); {
	case err == nil:
		return fmt.Errorf("%s: %w", abs, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return disk.StreamFile(s.disk, filepath.Dir(abs), filepath.Base(abs), func(w io.Writer) error { return s.Export(ctx, b, w) })
}
