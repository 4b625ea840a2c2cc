package store

import (
	_ "embed"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// ScriptName is the script beside the backups that restores any of them without this program.
const ScriptName = "open-backup.py"

//go:embed open-backup.py
var script string

// keepScript puts the script beside the backups, unless it is there.
func (s *Store) keepScript() error {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()

	have, err := os.ReadFile(filepath.Join(s.root, ScriptName))
	if err == nil && string(have) == script {
		return nil
	}
	return disk.ReplaceFile(s.disk, s.root, ScriptName, []byte(script))
}
