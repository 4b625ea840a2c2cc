package store

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// ExistsError says that the store has a backup of this id already.
type ExistsError struct {
	Backup Backup
	Same   bool // with the same archive: nothing is missing
}

// Error names sandbox and id.
func (e *ExistsError) Error() string {
	if e.Same {
		return fmt.Sprintf("sandbox %q has backup %s already, with the same content", e.Backup.Sandbox, e.Backup.ID)
	}
	return fmt.Sprintf("sandbox %q has another backup %s already", e.Backup.Sandbox, e.Backup.ID)
}

// Is makes errors.Is(err, fs.ErrExist) true.
func (e *ExistsError) Is(target error) bool { return target == fs.ErrExist }

// Import takes what Export wrote. The backup becomes visible only after every byte of it was verified; of an encrypted one without
// a key among ids, the bytes but not the entries are.
func (s *Store) Import(ctx context.Context, r io.Reader, ids archive.Identities) (b Backup, err error) {
	in := tar.NewReader(contextReader{ctx, r})
	text, m, err := importManifest(in)
	if err != nil {
		return Backup{}, fmt.Errorf("import: %w", err)
	}
	if err := errors.Join(s.refuseFuture(m.ID), s.refuseExisting(m)); err != nil {
		return Backup{}, err
	}
	place, err := s.place(SeriesOf(m))
	if err != nil {
		return Backup{}, err
	}
	parent := s.folder(place)
	if err := s.makeFolder(parent); err != nil {
		return Backup{}, err
	}
	st, err := disk.Stage(s.disk, parent, m.ID)
	if err != nil {
		return Backup{}, err
	}
	defer func() { err = errors.Join(err, st.Discard()) }()
	if err := importArchive(in, st, m); err != nil {
		return Backup{}, fmt.Errorf("import backup %s of sandbox %q: %w", m.ID, m.Sandbox, err)
	}
	if err := st.Write(archive.ManifestName, text); err != nil {
		return Backup{}, err
	}
	staged := Backup{ID: m.ID, Sandbox: m.Sandbox, Dir: st.Dir}
	if _, err := s.VerifyWith(ctx, staged, VerifyOptions{ReadData: true, Identities: ids}); err != nil {
		return Backup{}, fmt.Errorf("import backup %s of sandbox %q: %w", m.ID, m.Sandbox, err)
	}
	return Backup{ID: m.ID, Sandbox: m.Sandbox, Dir: filepath.Join(parent, m.ID), Manifest: m.Head()}, st.Publish()
}

// importManifest reads the first entry, which must be the manifest of a backup, at the path that its own words give it.
func importManifest(in *tar.Reader) ([]byte, *archive.Manifest, error) {
	h, err := in.Next()
	if err != nil {
		return nil, nil, fmt.Errorf("not a tar that backups export wrote: %w", noEOF(err))
	}
	if h.Typeflag != tar.TypeReg || path.Base(h.Name) != archive.ManifestName || h.Size > maxManifest {
		return nil, nil, fmt.Errorf("not a tar that backups export wrote: its first entry is %q", h.Name)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, nil, err
	}
	m, err := archive.DecodeManifest(text, false)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(sandboxname.CheckFolder(m.Sandbox), archive.ValidBackupID(m.ID)); err != nil {
		return nil, nil, err
	}
	if m.Archive.File != archive.ArchiveName && m.Archive.File != archive.EncryptedName {
		return nil, nil, archive.Damagef(archive.DamageManifest, archive.ManifestName, "it names the archive %q", m.Archive.File)
	}
	if want := path.Join(m.Sandbox, m.ID, archive.ManifestName); h.Name != want {
		return nil, nil, archive.Damagef(archive.DamageSwapped, h.Name, "it is %s", want)
	}
	return text, m, nil
}

// aheadLimit is how far another host's clock may be ahead of ours.
const aheadLimit = 24 * time.Hour

// refuseFuture refuses a backup whose id names a moment that is still to come: it would be the latest one for as long.
func (s *Store) refuseFuture(id string) error {
	if at, _ := archive.IdTime(id); at.After(s.now().Add(aheadLimit)) {
		return archive.Damagef(archive.DamageManifest, archive.ManifestName, "its id %s names a moment that is still to come", id)
	}
	return nil
}

func (s *Store) refuseExisting(m *archive.Manifest) error {
	all, err := s.all(m.Sandbox)
	for _, have := range all {
		if have.ID == m.ID {
			return &ExistsError{Backup: have, Same: have.Whole() && have.Manifest.Archive == m.Archive}
		}
	}
	return err
}

// importArchive reads the second entry, which must be the archive, and the recipe behind it; nothing else may follow.
func importArchive(in *tar.Reader, st *disk.Staging, m *archive.Manifest) error {
	h, err := in.Next()
	if err != nil {
		return noEOF(err)
	}
	if want := path.Join(m.Sandbox, m.ID, m.Archive.File); h.Typeflag != tar.TypeReg || h.Name != want {
		return fmt.Errorf("its second entry is %q, not %q", h.Name, want)
	}
	if h.Size != m.Archive.Bytes {
		return archive.Damagef(archive.DamageTruncated, m.Archive.File, "it has %d bytes, not %d", h.Size, m.Archive.Bytes)
	}
	sink := newArchiveSink(st, m.Archive.File)
	defer sink.abandon()
	if _, err := io.Copy(sink, in); err != nil {
		return noEOF(err)
	}
	if _, err := sink.finish(); err != nil {
		return err
	}
	if err := importRecipe(in, st, m); err != nil {
		return err
	}
	if h, err := in.Next(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("an entry %q follows what belongs to the backup", h.Name)
		}
		return err
	}
	return nil
}

// importRecipe reads the third entry, the recipe, where the manifest promises one. The verification that follows proves it.
func importRecipe(in *tar.Reader, st *disk.Staging, m *archive.Manifest) error {
	if m.RecipeFile == nil {
		return nil
	}
	if err := archive.CheckRecipeFile(m.RecipeFile); err != nil {
		return err
	}
	h, err := in.Next()
	if err != nil {
		return noEOF(err)
	}
	if want := path.Join(m.Sandbox, m.ID, m.RecipeFile.File); h.Typeflag != tar.TypeReg || h.Name != want || h.Size != m.RecipeFile.Bytes {
		return fmt.Errorf("its third entry is %q of %d bytes, not %q of %d", h.Name, h.Size, want, m.RecipeFile.Bytes)
	}
	recipe, err := io.ReadAll(in)
	if err != nil {
		return noEOF(err)
	}
	return st.Write(m.RecipeFile.File, recipe)
}

// noEOF is err for people: an end where more was promised.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
