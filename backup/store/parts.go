package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// Part is a file that a backup is made of, open: it can be read to its end also when it is removed meanwhile.
type Part struct {
	// Name is where the file lies, below the folder of the series, in a copy that has this backup alone; with /
	// between.
	Name string
	// Pack names a pack, or the note of one, which several backups use, and its content: what has the same word has the
	// same bytes, or more than these where blocks were taken out since. "" for what only this backup has.
	Pack string
	File *os.File
	Size int64
}

// Parts are all files that a backup is made of, those of other backups that it shares too, and its manifest without its
// index.
type Parts struct {
	Manifest *archive.Manifest
	Files    []Part // the backup's own archive first

	backup Backup
	store  *Store
}

// Prove proves the backup's own archive to its last byte, in the open file itself; with others, also what the backup
// needs of other backups' packs.
func (p *Parts) Prove(ctx context.Context, others bool) error {
	own := p.Files[0]
	err := proveBytes(ctx, io.NewSectionReader(own.File, 0, own.Size), p.Manifest.Archive)
	if err != nil || !others {
		return err
	}
	return p.store.Verify(ctx, p.backup, true)
}

// Close ends the reading of all.
func (p *Parts) Close() error {
	var errs []error
	for _, part := range p.Files {
		errs = append(errs, part.File.Close())
	}
	return errors.Join(errs...)
}

// Parts opens all that b is made of. A file that is missing is a *archive.DamageError. No key is needed for an
// encrypted one.
func (s *Store) Parts(b Backup) (_ *Parts, err error) {
	m, err := readManifest(b, true)
	if err != nil {
		return nil, err
	}
	p := &Parts{Manifest: m, backup: b, store: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := p.own(m); err != nil {
		return nil, err
	}
	others, err := packsOf(b, m)
	if err != nil {
		return nil, err
	}
	for _, id := range others {
		if m.Sealed() {
			err = p.sealed(id)
		} else {
			err = p.plain(id)
		}
		if err != nil {
			return nil, err
		}
	}

	return p, nil
}

// packsOf are the ids of other backups' packs that b needs.
func packsOf(b Backup, m *archive.Manifest) ([]string, error) {
	if m.Blocks == nil || m.Sealed() {
		return m.Packs, nil
	}
	whole, err := loadManifest(b, nil, true)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range whole.Index.Runs {
		if r.Pack != m.ID {
			ids = append(ids, r.Pack)
		}
	}

	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// own opens what lies in the backup's folder.
func (p *Parts) own(m *archive.Manifest) error {
	at, word := filepath.Join(m.ID, m.Archive.File), packWord(m.ID, m.Archive.Bytes)
	if m.PackNote != nil { // the words are those by which later backups name them
		word = sealedWord(m.ID, m.Archive.SHA256)
	}
	if err := p.open(at, at, word); err != nil {
		return err
	}
	names := []string{archive.ManifestName}
	for _, file := range []*archive.ArchiveFile{m.IndexFile, m.RecipeFile} {
		if file != nil {
			names = append(names, file.File)
		}
	}

	for _, name := range names {
		if err := p.open(filepath.Join(m.ID, name), filepath.Join(m.ID, name), ""); err != nil {
			return err
		}
	}
	if m.PackNote == nil {
		return nil
	}
	note := filepath.Join(m.ID, m.PackNote.File)
	return p.open(note, note, word+noteWord)
}

// sealedWord names an encrypted pack's content, of that SHA-256, and with noteWord its note.
func sealedWord(id, sum string) string { return id + "-" + sum[:min(16, len(sum))] }

const noteWord = "-note"

// packWord names a plain pack's content: it is written once, and only ever gets shorter.
func packWord(id string, size int64) string { return fmt.Sprintf("%s-%d", id, size) }

// plain opens the pack of another backup.
func (p *Parts) plain(id string) error {
	folder := filepath.Dir(p.backup.Dir)
	pack, err := archive.Opener{}.Find(folder, id)
	if err != nil {
		return err
	}
	at, err := filepath.Rel(folder, pack.Path)
	if err := errors.Join(err, pack.Close()); err != nil {
		return err
	}
	if err := p.open(at, archive.Retired(id), id); err != nil {
		return err
	}
	last := &p.Files[len(p.Files)-1]
	last.Pack = packWord(id, last.Size)
	return nil
}

// sealed opens the encrypted pack of another backup, and its note.
func (p *Parts) sealed(id string) error {
	folder := filepath.Dir(p.backup.Dir)
	note, path, err := archive.FindNote(folder, id)
	if err != nil {
		return err
	}
	at, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	noteAt := filepath.Join(filepath.Dir(at), archive.NoteName)
	if filepath.Dir(at) == archive.RetiredFolder {
		noteAt = archive.RetiredNote(id)
	}
	word := sealedWord(id, note.SHA256)
	return errors.Join(p.open(at, archive.RetiredSealed(id, note.SHA256), word), p.open(noteAt, archive.RetiredNote(id), word+noteWord))
}

// open opens a file of the series' folder, of which a copy has the other name.
func (p *Parts) open(at, name, pack string) error {
	f, err := disk.OpenPlain(filepath.Join(filepath.Dir(p.backup.Dir), at))
	if err != nil {
		return &archive.DamageError{Kind: archive.DamageArchiveMissing, Object: at, Err: err}
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p.Files = append(p.Files, Part{Name: filepath.ToSlash(name), Pack: pack, File: f, Size: info.Size()})
	return nil
}
