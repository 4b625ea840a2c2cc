package store

import (
	"time"

	"sandkeeper/backup/archive"
)

// idAfter names a backup that starts at started so that it sorts after all that the sandbox has: two of one second, and a clock that was
// set back, must not make an older one the latest. Its name may then be a second or more ahead; the manifest has the true time. A
// backup of something from earlier (Taken) keeps its own moment.
func (s *Store) idAfter(n NewBackup, started time.Time) (string, error) {
	id, err := archive.NewID(started, s.rand)
	if err != nil || !n.Taken.IsZero() {
		return id, err
	}
	have, err := s.all(n.Manifest.Sandbox)
	if err != nil || len(have) == 0 || id > have[0].ID {
		return id, err
	}
	newest, _ := archive.IdTime(have[0].ID) // listed ids are valid
	return archive.NewID(newest.Add(time.Second), s.rand)
}
