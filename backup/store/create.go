package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// NewBackup says what to make.
type NewBackup struct {
	// Manifest holds what the caller knows: sandbox, gateway, versions, image, recipe, consistency, … Create fills in
	// id, times, archive, content, exclusions and index.
	Manifest   archive.Manifest
	Recipients []string      // age public keys; none: not encrypted
	Fresh      bool          // share nothing with other backups
	Taken      time.Time     // when the content was read, for content that was read before; zero: now
	Told       func() []byte // asked after fill for all that the gateway told of the sandbox; nil, or nothing: no recipe is kept
	Damaged    func(error)   // told when what the series has turns out to be damaged; nil: nobody is

	id       string   // of a copy; "": a new one
	distrust distrust // found a moment ago
}

// Fill adds the content of a backup to its archive.
type Fill func(context.Context, *archive.Archive) error

// Create makes a backup: fill adds the content to the archive, and the backup becomes visible whole or not at all.
//
// Blocks that the series has already are not stored twice. When some of them turn out to be damaged after the new
// backup relied on them, fill is called once more, with a new archive, which stores them again; so it must be able to
// read the source again.
func (s *Store) Create(ctx context.Context, n NewBackup, fill Fill) (Backup, error) {
	if err := sandboxname.CheckFolder(n.Manifest.Sandbox); err != nil {
		return Backup{}, err
	}
	b, err := s.create(ctx, &n, fill)
	if errors.Is(err, archive.ErrBaseDamaged) && ctx.Err() == nil {
		if n.Damaged != nil {
			n.Damaged(err)
		}
		return s.create(ctx, &n, fill)
	}
	return b, err
}

func (s *Store) create(ctx context.Context, n *NewBackup, fill Fill) (b Backup, err error) {
	started := s.now()
	if !n.Taken.IsZero() {
		started = n.Taken
	}
	started = started.UTC().Truncate(time.Second)
	id, err := s.idAfter(*n, started)
	if err != nil {
		return Backup{}, err
	}
	st, err := s.stage(SeriesOf(&n.Manifest), id)
	if err != nil {
		return Backup{}, err
	}
	defer func() { err = errors.Join(s.needAndRoom(err, st.Dir), st.Discard()) }() // also after a panic of fill
	m := n.Manifest
	m.Schema, m.ID, m.Tool, m.Started, m.Index, m.RecipeFile = archive.Schema, id, s.tool, started, nil, nil
	m.Secrets = cmp.Or(m.Secrets, archive.SecretsInclude)
	if err := s.capture(ctx, st, n, &m, fill); err != nil {
		return Backup{}, err
	}
	if err := keepRecipe(st, *n, &m); err != nil {
		return Backup{}, err
	}
	if m.Finished = s.now().UTC().Truncate(time.Second); n.id != "" {
		m.Finished = n.Manifest.Finished
	}
	if err := writeManifest(st, &m); err != nil {
		return Backup{}, err
	}
	return Backup{ID: id, Sandbox: m.Sandbox, Dir: filepath.Join(filepath.Dir(st.Dir), id), Manifest: m.Head()}, st.Publish()
}

// stage makes the folder in which a backup of the series is put together, and what lies above it.
func (s *Store) stage(of Series, id string) (*disk.Staging, error) {
	place, err := s.place(of)
	if err != nil {
		return nil, err
	}
	parent := s.folder(place)
	if err := errors.Join(s.makeFolder(parent), s.keepScript()); err != nil {
		return nil, err
	}
	return disk.Stage(s.disk, parent, id)
}

// writeManifest writes m, the last file of a backup.
func writeManifest(st *disk.Staging, m *archive.Manifest) error {
	content, err := m.Encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", archive.ManifestName, err)
	}
	return st.Write(archive.ManifestName, content)
}
