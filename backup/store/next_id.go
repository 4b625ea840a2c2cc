package store

import (
	"fmt"
	"time"

	"sandkeeper/backup/archive"
)

// lastYear is the last year that an id can name.
const lastYear = 9999

// idAfter names a backup that starts at started so that it sorts after all that the sandbox has: two of one second, and
// a clock that was set back, must not make an older one the latest. Its name may then be a second or more ahead; the
// manifest has the true time. A backup of something from earlier (Taken) keeps its own moment.
func (s *Store) idAfter(n NewBackup, started time.Time) (string, error) {
	if n.id != "" {
		return n.id, nil
	}
	id, err := archive.NewID(started, s.rand)
	if err != nil || !n.Taken.IsZero() {
		return id, err
	}
	have, err := s.all(n.Manifest.Sandbox)
	if err != nil || len(have) == 0 || id > have[0].ID {
		return id, err
	}
	newest, _ := archive.IdTime(have[0].ID) // listed ids are valid
	if next := newest.Add(time.Second); next.Year() <= lastYear {
		return archive.NewID(next, s.rand)
	}
	return "", fmt.Errorf("sandbox %q has a backup %s, after which no id sorts: look at it, then remove its folder %s", n.Manifest.Sandbox, have[0].ID, have[0].Dir)
}
