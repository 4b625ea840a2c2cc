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
	// Manifest holds what the caller knows: sandbox, gateway, versions, image, recipe, consistency, … Create fills in id, times,
	// archive, content, exclusions and index.
	Manifest   archive.Manifest
	Recipients []string      // age public keys; none: not encrypted
	Fresh      bool          // do not build on the previous backup
	Taken      time.Time     // when the content was read, for content that was read before; zero: now
	Told       func() []byte // asked after fill for all that the gateway told of the sandbox; nil, or nothing: no recipe is kept
	Damaged    func(error)   // told when the newest backup turns out to be damaged; nil: nobody is
}

// Create makes a backup: fill adds the content to the archive, and the backup becomes visible whole or not at all.
//
// Content that equals the sandbox's newest whole backup is not stored twice. When that backup turns out to be damaged after the
// new one relied on it, fill is called once more, with a new archive, so it must be able to read the source again.
func (s *Store) Create(ctx context.Context, n NewBackup, fill func(context.Context, *archive.Archive) error) (Backup, error) {
	if err := sandboxname.CheckFolder(n.Manifest.Sandbox); err != nil {
		return Backup{}, err
	}
	b, err := s.create(ctx, n, fill)
	if errors.Is(err, archive.ErrBaseDamaged) && ctx.Err() == nil {
		if n.Damaged != nil {
			n.Damaged(err)
		}
		n.Fresh = true
		return s.create(ctx, n, fill)
	}
	return b, err
}

func (s *Store) create(ctx context.Context, n NewBackup, fill func(context.Context, *archive.Archive) error) (b Backup, err error) {
	started := s.now()
	if !n.Taken.IsZero() {
		started = n.Taken
	}
	started = started.UTC().Truncate(time.Second)
	id, err := s.idAfter(n, started)
	if err != nil {
		return Backup{}, err
	}
	place, err := s.place(SeriesOf(&n.Manifest))
	if err != nil {
		return Backup{}, err
	}
	parent := s.folder(place)
	if err := s.makeFolder(parent); err != nil {
		return Backup{}, err
	}
	st, err := disk.Stage(s.disk, parent, id)
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
	if err := keepRecipe(st, n, &m); err != nil {
		return Backup{}, err
	}
	m.Finished = s.now().UTC().Truncate(time.Second)
	content, err := m.Encode()
	if err != nil {
		return Backup{}, fmt.Errorf("write %s: %w", archive.ManifestName, err)
	}
	if err := st.Write(archive.ManifestName, content); err != nil {
		return Backup{}, err
	}
	return Backup{ID: id, Sandbox: m.Sandbox, Dir: filepath.Join(parent, id), Manifest: m.Head()}, st.Publish()
}

// capture writes the archive, or links the previous one, and puts what it measured into m.
func (s *Store) capture(ctx context.Context, st *disk.Staging, n NewBackup, m *archive.Manifest, fill func(context.Context, *archive.Archive) error) error {
	sealed, err := archive.SealTo(n.Recipients)
	if err != nil {
		return err
	}
	sink := newArchiveSink(st, sealed.FileName())
	defer sink.abandon()
	out, err := sealed.Writer(sink)
	if err != nil {
		return err
	}
	previous, full := s.previous(n)
	var base *archive.BaseReader
	if full != nil {
		base = archive.OpenBase(ctx, previous.ArchivePath(), full.Index.Frames, sink)
		defer base.Stop()
	}
	a := archive.New(ctx, archive.NewFrameWriter(ctx, out, base), sealed.On())
	a.Previous = full
	defer func() { _, _ = a.Frames.Close(true) }() // ends the packers, whatever happened; after finish there are none
	if err := fill(ctx, a); err != nil {
		return err
	}
	unchanged, err := a.Finish()
	if err != nil {
		return err
	}
	m.Encryption = sealed.Describe()
	if unchanged {
		m.Archive = previous.Manifest.Archive
		err = st.Link(previous.ArchivePath(), m.Archive.File)
	} else if err = out.Close(); err == nil {
		m.Archive, err = sink.finish()
	}
	if err != nil {
		return err
	}
	a.Describe(m)
	return nil
}

// previous is the backup that the new one may turn out to equal, and its full manifest; nil for none.
func (s *Store) previous(n NewBackup) (Backup, *archive.Manifest) {
	if n.Fresh || len(n.Recipients) > 0 {
		return Backup{}, nil
	}
	previous, err := s.LatestOf(SeriesOf(&n.Manifest))
	if err != nil || previous.Manifest.Encryption != nil || previous.Manifest.Secrets != archive.SecretsInclude {
		return Backup{}, nil // whatever is wrong with the previous one, a whole new one is never wrong
	}
	full, err := s.Load(previous)
	if err != nil || full.Index == nil || len(full.Index.Frames) == 0 {
		return Backup{}, nil
	}
	if full.Tool != s.tool {
		full.Standing = nil // what is kept of the same home may differ between versions
	}
	if full.Standing == nil {
		full.Index.Entries = nil // only its frames are compared
	}
	return previous, full
}
