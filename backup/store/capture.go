package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// capture writes what is new into a pack, and puts what it measured into m.
func (s *Store) capture(ctx context.Context, st *disk.Staging, n *NewBackup, m *archive.Manifest, fill Fill) (err error) {
	ctx, stop := context.WithCancel(ctx)
	sh, key, err := s.shelfFor(ctx, *n, filepath.Dir(st.Dir))
	if err != nil {
		stop()
		return err
	}
	defer func() { stop(); err = errors.Join(err, sh.close()) }()

	to := archive.Target{ID: m.ID, Known: sh.known, Key: key}
	if n.Fresh || sh.known.Empty() {
		to.Known = nil
	}
	files, err := stageFiles(st, n.Recipients, &to)
	if err != nil {
		return err
	}
	defer files.abandon()
	a := archive.New(ctx, to)
	defer a.Abandon() // ends the packers, whatever happened; after Finish there are none
	last, previous := s.previous(*n, key)
	a.Previous = previous
	if err := fill(ctx, a); err != nil {
		return err
	}
	if err := a.Finish(); err != nil {
		return err
	}
	if err := sh.lost(ctx, m.ID, a); err != nil {
		n.distrust = sh.bad
		return err
	}
	if a.Adopted {
		if err := takeIndex(last, files.index); err != nil {
			n.distrust = sh.bad
			return err
		}
	}

	return files.describe(m, a)
}

// shelfFor opens the shelf in dir, and of encrypted backups the key by which this host adds to them.
func (s *Store) shelfFor(ctx context.Context, n NewBackup, dir string) (sh *shelf, key *archive.StoreKey, err error) {
	if len(n.Recipients) > 0 {
		if key, err = s.storeKey(n.Recipients); err != nil {
			return nil, nil, err
		}
	}
	sh, err = s.openShelf(ctx, n, dir, key)
	return sh, key, err
}

// staged are the files of a backup's blocks while they are written.
type staged struct {
	staging    *disk.Staging
	recipients []string
	key        *archive.StoreKey
	pack       *archiveSink
	index      *archiveSink
	open       []io.Closer // what encrypts on the way to them
}

// stageFiles begins the files of a backup and puts the writers to them into to.
func stageFiles(st *disk.Staging, recipients []string, to *archive.Target) (*staged, error) {
	seal, err := archive.SealTo(recipients)
	if err != nil {
		return nil, err
	}
	pack, index := seal.Names(to.Known == nil)
	f := &staged{staging: st, recipients: recipients, key: to.Key, pack: newArchiveSink(st, pack), index: newArchiveSink(st, index)}
	into := func(sink *archiveSink) io.Writer {
		w := &lateWriter{begin: func() (io.WriteCloser, error) { return seal.Writer(sink) }}
		f.open = append(f.open, w)
		return w
	}
	to.Sink, to.Index = into(f.pack), into(f.index)
	return f, nil
}

// lateWriter begins with the first byte: nothing is encrypted where nothing is written.
type lateWriter struct {
	begin func() (io.WriteCloser, error)
	to    io.WriteCloser
}

// Write writes on.
func (w *lateWriter) Write(p []byte) (n int, err error) {
	if w.to == nil {
		if w.to, err = w.begin(); err != nil {
			return 0, err
		}
	}
	return w.to.Write(p)
}

// Close ends what was begun.
func (w *lateWriter) Close() error {
	if w.to == nil {
		return nil
	}
	return w.to.Close()
}

// describe ends the files and puts into m what they are, and what was captured.
func (f *staged) describe(m *archive.Manifest, a *archive.Archive) error {
	for _, w := range f.open {
		if err := w.Close(); err != nil {
			return err
		}
	}

	pack, err := f.pack.finish()
	if err != nil {
		return err
	}
	index, err := f.index.finish()
	if err != nil {
		return err
	}
	m.Archive, m.IndexFile = pack, &index
	a.Describe(m)
	m.Encryption, m.PackNote, m.Packs = nil, nil, nil
	if f.key == nil {
		return nil
	}
	m.Hide()
	m.Encryption = &archive.Encryption{Recipients: f.recipients, StoreKey: f.key.ID()}
	m.Packs = a.Packs()
	return f.note(m, a.Table())
}

// note writes what the host may know of an encrypted pack.
func (f *staged) note(m *archive.Manifest, table []byte) error {
	text, err := archive.NoteOf(m.ID, m.Archive, f.recipients, f.key, table)
	if err != nil {
		return err
	}
	sink := newArchiveSink(f.staging, archive.NoteName)
	defer sink.abandon()
	if _, err := sink.Write(text); err != nil {
		return err
	}
	note, err := sink.finish()
	m.PackNote = &note
	return err
}

func (f *staged) abandon() {
	f.pack.abandon()
	f.index.abandon()
}

// takeIndex copies the index of a backup whose content is taken over, and proves it: of an encrypted one nobody here could
// read it before. The error wraps archive.ErrBaseDamaged where the index is not what was written.
func takeIndex(last Backup, to *archiveSink) error {
	want := *last.Manifest.IndexFile
	f, err := archive.OpenFile(last.Dir, want)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", last.Dir, archive.ErrBaseDamaged, err)
	}
	_, err = io.Copy(to, f)
	if err = errors.Join(err, f.Close()); err == nil && to.digest() != want.SHA256 {
		err = fmt.Errorf("%s: %w: it has other bytes", filepath.Join(last.Dir, want.File), archive.ErrBaseDamaged)
	}
	return err
}

// previousIndexMax bounds, in packed bytes, which index of a previous backup is kept in memory while the next one is
// made: that of some half a million entries. Of larger homes all files are read.
const previousIndexMax = 16 << 20

// previous is the backup whose home may turn out not to have been written to since, and its manifest with its runs,
// unless those are encrypted; nil for none.
func (s *Store) previous(n NewBackup, key *archive.StoreKey) (Backup, *archive.Manifest) {
	if n.Fresh || n.distrust != nil {
		return Backup{}, nil
	}
	last, err := s.LatestOf(SeriesOf(&n.Manifest))
	if err != nil || last.Manifest.Secrets != archive.SecretsInclude || last.Manifest.Blocks == nil || last.Manifest.Tool != s.tool || last.Manifest.Standing == nil && last.Manifest.Looked == nil {
		return Backup{}, nil // whatever is wrong with the previous one, reading is never wrong; and what is kept of a home may differ between versions
	}
	if key != nil {
		if e := last.Manifest.Encryption; e == nil || e.StoreKey != key.ID() || !archive.SameRecipients(e.Recipients, n.Recipients) {
			return Backup{}, nil
		}
		return last, last.Manifest
	}

	runsOnly := last.Manifest.IndexFile == nil || last.Manifest.IndexFile.Bytes > previousIndexMax
	m, err := loadManifest(last, nil, runsOnly)
	if err != nil {
		return Backup{}, nil
	}
	return last, m
}
