package store

import "path/filepath"

// OldHomePattern names the copies of homes that restores replace, in the store's root. They are no backups: a listing passes over them.
const OldHomePattern = ".before-restore-*.tar.zst"

// Interrupted lists the complete copies that restores left which were killed, or could not put the old content back. Nothing
// removes them by itself: each may be the only whole copy of what was there, and holds credentials.
func (s *Store) Interrupted() ([]string, error) {
	return filepath.Glob(filepath.Join(escapeGlob(s.root), OldHomePattern))
}
