package store

import (
	"path/filepath"

	"sandkeeper/internal/journal"
)

// Interrupted lists the complete copies that restores left which were killed, or could not put the old content back.
// Nothing removes them by itself: each may be the only whole copy of what was there, and holds credentials.
func (s *Store) Interrupted() ([]string, error) {
	return filepath.Glob(filepath.Join(escapeGlob(s.root), journal.CopyPattern))
}
