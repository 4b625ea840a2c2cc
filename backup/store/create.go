package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	Fresh      bool          // share nothing with other backups
	Taken      time.Time     // when the content was read, for content that was read before; zero: now
	Told       func() []byte // asked after fill for all that the gateway told of the sandbox; nil, or nothing: no recipe is kept
	Damaged    func(error)   // told when what the series has turns out to be damaged; nil: nobody is

	id       string   // of a copy; "": a new one
	distrust distrust // found a moment ago
}

// Create makes a backup: fill adds the content to the archive, and the backup becomes visible whole or not at all.
//
// Blocks that the series has already are not stored twice. When some of them turn out to be damaged after the new backup relied on them,
// fill is called once more, with a new archive, which stores them again; so it must be able to read the source again.
func (s *Store) Create(ctx context.Context, n NewBackup, fill func(context.Context, *archive.Archive) error) (Backup, error) {
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

func (s *Store) create(ctx context.Context, n *NewBackup, fill func(context.Context, *archive.Archive) error) (b Backup, err error) {
	started := s.now()
	if !n.Taken.IsZero() {
		started = n.Taken
	}
	started = started.UTC().Truncate(time.Second)
	id, err := s.idAfter(*n, started)
	if err != nil {
		return Backup{}, err
	}
	place, err := s.place(SeriesOf(&n.Manifest))
	if err != nil {
		return Backup{}, err
	}
	parent := s.folder(place)
	if err := errors.Join(s.makeFolder(parent), s.keepScript()); err != nil {
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
	if len(n.Recipients) > 0 {
		err = s.captureSealed(ctx, st, *n, &m, fill)
	} else {
		err = s.capture(ctx, st, n, &m, fill)
	}
	if err != nil {
		return Backup{}, err
	}
	if err := keepRecipe(st, *n, &m); err != nil {
		return Backup{}, err
	}
	if m.Finished = s.now().UTC().Truncate(time.Second); n.id != "" {
		m.Finished = n.Manifest.Finished
	}
	content, err := m.Encode()
	if err != nil {
		return Backup{}, fmt.Errorf("write %s: %w", archive.ManifestName, err)
	}
	if err := st.Write(archive.ManifestName, content); err != nil {
		return Backup{}, err
	}
	return Backup{ID: id, Sandbox: m.Sandbox, Dir: filepath.Join(parent, id), Manifest: m.Head()}, st.Publish()
}

// capture writes what is new into a pack, and puts what it measured into m.
func (s *Store) capture(ctx context.Context, st *disk.Staging, n *NewBackup, m *archive.Manifest, fill func(context.Context, *archive.Archive) error) (err error) {
	ctx, stop := context.WithCancel(ctx)
	sh, err := s.openShelf(ctx, *n, filepath.Dir(st.Dir))
	if err != nil {
		stop()
		return err
	}
	defer func() { stop(); err = errors.Join(err, sh.close()) }()

	to := archive.Target{ID: m.ID, Known: sh.known}
	name := archive.PackName
	if n.Fresh || sh.known.Empty() {
		to.Known, name = nil, archive.ArchiveName
	}
	sink, index := newArchiveSink(st, name), newArchiveSink(st, archive.IndexName)
	defer sink.abandon()
	defer index.abandon()
	to.Sink, to.Index = sink, index
	a := archive.New(ctx, to)
	defer a.Abandon() // ends the packers, whatever happened; after Finish there are none
	last, previous := s.previous(*n)
	a.Previous = previous
	if err := fill(ctx, a); err != nil {
		return err
	}
	if err := a.Finish(); err != nil {
		return err
	}
	if err := sh.lost(ctx, m.ID, a.Runs()); err != nil {
		n.distrust = sh.bad
		return err
	}
	if m.Archive, err = sink.finish(); err != nil {
		return err
	}
	if a.Adopted {
		if err := copyFile(filepath.Join(last.Dir, archive.IndexName), index); err != nil {
			return err
		}
	}
	file, err := index.finish()
	m.IndexFile = &file
	a.Describe(m)
	return err
}

func copyFile(from string, to io.Writer) error {
	f, err := disk.OpenPlain(from)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, f)
	return errors.Join(err, f.Close())
}

// captureSealed writes an encrypted archive, which holds all of the content: names of blocks in a manifest that anybody can read would
// let them test guesses.
func (s *Store) captureSealed(ctx context.Context, st *disk.Staging, n NewBackup, m *archive.Manifest, fill func(context.Context, *archive.Archive) error) error {
	m.Schema = archive.SchemaArchive
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
	a := archive.New(ctx, archive.Target{Sink: out, ID: m.ID, Bare: true})
	defer a.Abandon() // ends the packers, whatever happened; after Finish there are none
	if err := fill(ctx, a); err != nil {
		return err
	}
	if err := errors.Join(a.Finish(), ctx.Err()); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if m.Archive, err = sink.finish(); err != nil {
		return err
	}
	m.Encryption = sealed.Describe()
	a.Describe(m)
	return nil
}

// previous is the backup whose home may turn out not to have been written to since, and its manifest with its runs; nil for none.
func (s *Store) previous(n NewBackup) (Backup, *archive.Manifest) {
	if n.Fresh || n.distrust != nil {
		return Backup{}, nil
	}
	last, err := s.LatestOf(SeriesOf(&n.Manifest))
	if err != nil || last.Manifest.Secrets != archive.SecretsInclude || last.Manifest.Blocks == nil || last.Manifest.Standing == nil || last.Manifest.Tool != s.tool {
		return Backup{}, nil // whatever is wrong with the previous one, reading is never wrong; and what is kept of a home may differ between versions
	}
	m, err := loadManifest(last, true)
	if err != nil {
		return Backup{}, nil
	}
	return last, m
}
