package store

import (
	"context"
	"io"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// ExportFile is Export into a file that appears whole or not at all, 0600. A file that is there already is never
// replaced: the error wraps fs.ErrExist.
func (s *Store) ExportFile(ctx context.Context, b Backup, path string, ids archive.Identities) error {
	abs, err := absent(path)
	if err != nil {
		return err
	}
	return disk.StreamFile(s.disk, filepath.Dir(abs), filepath.Base(abs), func(w io.Writer) error {
		return s.Export(ctx, b, w, ExportOptions{Scratch: filepath.Dir(abs), Identities: ids})
	})
}
