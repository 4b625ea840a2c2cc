package store

import (
	"context"

	"sandkeeper/backup/archive"
)

// Open reads b's archive. Only a Verify before it proves that it is whole; Open itself checks its length.
func (s *Store) Open(ctx context.Context, b Backup, o archive.OpenOptions) (*archive.Reader, error) {
	m, err := s.Load(b, o.Identities)
	if err != nil {
		return nil, err
	}
	return archive.Open(ctx, b.Dir, m, o)
}
