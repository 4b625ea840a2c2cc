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
	"sandkeeper/internal/text"
)

// ExistsError says that the store has a backup of this id already.
type ExistsError struct {
	Backup Backup
	Same   bool // with the same archive: nothing is missing
}

// Error names sandbox and id.
func (e *ExistsError) Error() string {
	if e.Same {
		return fmt.Sprintf("sandbox %q has backup %s already, with the same content", e.Backup.Series().Address(), e.Backup.ID)
	}
	return fmt.Sprintf("sandbox %q has another backup %s already", e.Backup.Series().Address(), e.Backup.ID)
}

// Is makes errors.Is(err, fs.ErrExist) true.
func (e *ExistsError) Is(target error) bool { return target == fs.ErrExist }

// Import takes what Export wrote. The backup becomes visible only after every byte of it was verified; of an encrypted
// one without a key among ids, the bytes but not the entries are.
func (s *Store) Import(ctx context.Context, r io.Reader, ids archive.Identities) (b Backup, err error) {
	in := tar.NewReader(contextReader{ctx, r})
	text, m, err := importManifest(in)
	if err != nil {
		return Backup{}, fmt.Errorf("import: %w", err)
	}
	if err := errors.Join(s.refuseFuture(m.ID), s.refuseExisting(m)); err != nil {
		return Backup{}, err
	}
	st, err := s.stage(SeriesOf(m), m.ID)
	if err != nil {
		return Backup{}, err
	}
	defer func() { err = errors.Join(err, st.Discard()) }()
	if err := importFiles(in, st, m); err != nil {
		return Backup{}, fmt.Errorf("import backup %s of sandbox %q: %w", m.ID, SeriesOf(m).Address(), err)
	}
	if err := st.Write(archive.ManifestName, text); err != nil {
		return Backup{}, err
	}
	staged := Backup{ID: m.ID, Sandbox: m.Sandbox, Dir: st.Dir}
	if _, err := s.VerifyWith(ctx, staged, VerifyOptions{ReadData: true, Identities: ids}); err != nil {
		return Backup{}, fmt.Errorf("import backup %s of sandbox %q: %w", m.ID, SeriesOf(m).Address(), err)
	}
	return Backup{ID: m.ID, Sandbox: m.Sandbox, Dir: filepath.Join(filepath.Dir(st.Dir), m.ID), Manifest: m.Head()}, st.Publish()
}

// importManifest reads the first entry, which must be the manifest of a backup, at the path that its own words give it.
func importManifest(in *tar.Reader) ([]byte, *archive.Manifest, error) {
	h, err := in.Next()
	if err != nil {
		return nil, nil, text.As(noEOF(err), "this is not a tar that backups export wrote, or it is damaged")
	}
	if h.Typeflag != tar.TypeReg || path.Base(h.Name) != archive.ManifestName || h.Size > maxManifest {
		return nil, nil, fmt.Errorf("this is not a tar that backups export wrote: its first entry is %q", h.Name)
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
	if err := m.CheckFiles(); err != nil {
		return nil, nil, err
	}
	if !m.SelfContained() {
		return nil, nil, fmt.Errorf("backup %s is only a part: it needs others of its series; \"backups export\" writes it whole", m.ID)
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
			return &ExistsError{Backup: have, Same: have.Whole() && sameContent(have.Manifest, m)}
		}
	}
	return err
}

// sameContent reports whether two backups of one id hold the same; the same content may be packed in two ways.
func sameContent(a, b *archive.Manifest) bool {
	return a.Archive == b.Archive || a.Content.Digest != "" && a.Content == b.Content
}

// importFiles reads the entries behind the manifest: the index, where that is a file, and the archive. Nothing may
// follow them.
func importFiles(in *tar.Reader, st *disk.Staging, m *archive.Manifest) error {
	for _, want := range filesOf(m) {
		if err := importFile(in, st, m, want); err != nil {
			return err
		}
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

// importRecipe reads the last entry, the recipe, where the manifest promises one. The verification that follows proves
// it.
func importRecipe(in *tar.Reader, st *disk.Staging, m *archive.Manifest) error {
	if m.RecipeFile == nil {
		return nil
	}
	if err := archive.CheckRecipeFile(m.RecipeFile); err != nil {
		return err
	}
	return importFile(in, st, m, *m.RecipeFile)
}

// filesOf are the files of a backup beside its manifest and its recipe.
func filesOf(m *archive.Manifest) (files []archive.ArchiveFile) {
	for _, file := range []*archive.ArchiveFile{m.IndexFile, m.PackNote, &m.Archive} {
		if file != nil {
			files = append(files, *file)
		}
	}
	return files
}

func importFile(in *tar.Reader, st *disk.Staging, m *archive.Manifest, want archive.ArchiveFile) error {
	h, err := in.Next()
	if err != nil {
		return noEOF(err)
	}
	if name := path.Join(m.Sandbox, m.ID, want.File); h.Typeflag != tar.TypeReg || h.Name != name {
		return fmt.Errorf("its next entry is %q, not %q", h.Name, name)
	}
	if h.Size != want.Bytes {
		return archive.Damagef(archive.DamageTruncated, want.File, "it has %d bytes, not %d", h.Size, want.Bytes)
	}
	sink := newArchiveSink(st, want.File)
	defer sink.abandon()
	if _, err := io.Copy(sink, in); err != nil {
		return noEOF(err)
	}
	_, err = sink.finish()
	return err
}

// noEOF is err for people: an end where more was promised.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
