package store

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// Export writes b as one portable tar: <sandbox>/<id>/manifest.json, the archive, and the recipe if there is one, byte for byte. Import takes it; tar alone
// gives the store's layout. An archive whose SHA-256 is not the promised one is an error at the end: what was written is worthless then.
func (s *Store) Export(ctx context.Context, b Backup, w io.Writer) error {
	m, err := s.Load(b)
	if err != nil {
		return err
	}
	manifest, err := disk.ReadPlain(filepath.Join(b.Dir, archive.ManifestName), maxManifest)
	if err != nil {
		return err
	}
	f, err := archive.OpenFile(b.Dir, m)
	if err != nil {
		return err
	}
	defer f.Close()
	out, folder := tar.NewWriter(w), path.Join(b.Sandbox, b.ID)
	header := func(name string, size int64) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(folder, name), Size: size, Mode: 0o600, ModTime: m.Finished}
		if err := out.WriteHeader(h); err != nil {
			return fmt.Errorf("export backup %s: %w", b.ID, err)
		}
		return nil
	}
	if err := header(archive.ManifestName, int64(len(manifest))); err != nil {
		return err
	}
	if _, err := out.Write(manifest); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	if err := header(m.Archive.File, m.Archive.Bytes); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), contextReader{ctx, f}); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.Archive.SHA256 {
		return archive.Damagef(archive.DamageDigest, m.Archive.File, "its SHA-256 is %s, not %s", got, m.Archive.SHA256)
	}
	if err := exportRecipe(out, b, m, header); err != nil {
		return err
	}
	return out.Close()
}

func exportRecipe(out *tar.Writer, b Backup, m *archive.Manifest, header func(string, int64) error) error {
	recipe, err := recipeText(b, m)
	if err != nil || recipe == nil {
		return err
	}
	if err := header(m.RecipeFile.File, int64(len(recipe))); err != nil {
		return err
	}
	if _, err := out.Write(recipe); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	return nil
}
