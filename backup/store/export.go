package store

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// scratchPrefix begins the name of the folder in which a backup is put together.
const scratchPrefix = ".sandkeeper-export-"

// ExportOptions say how a backup that shares blocks is put together.
type ExportOptions struct {
	Scratch    string             // a folder with room for it
	Identities archive.Identities // private keys, for encrypted backups
}

// Export writes b as one portable tar: <sandbox>/<id>/manifest.json, then its index, its archive and the recipe if
// there is one. Import takes it; tar alone gives the store's layout. A backup that shares blocks with others is put
// together in a scratch folder, and then needs no other. An archive whose SHA-256 is not the promised one is an error
// at the end: what was written is worthless then. An encrypted backup that shares blocks is put together only with a
// key that opens it, and encrypted again.
func (s *Store) Export(ctx context.Context, b Backup, w io.Writer, o ExportOptions) (err error) {
	m, err := readManifest(b, true)
	if err != nil {
		return err
	}
	if m.SelfContained() {
		return exportFiles(ctx, b, m, w)
	}
	if m, err = s.Load(b, o.Identities); err != nil {
		return err
	}
	dir, err := disk.NewScratch(o.Scratch, scratchPrefix)
	if err != nil {
		return fmt.Errorf("make a folder to put backup %s together: %w", b.ID, err)
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()
	o.Scratch = dir.Dir
	whole, full, err := s.putTogether(ctx, b, m, o)
	if err != nil {
		return err
	}
	return exportFiles(ctx, whole, full, w)
}

// putTogether makes a copy of b in the scratch folder whose archive holds all of its content.
func (s *Store) putTogether(ctx context.Context, b Backup, m *archive.Manifest, o ExportOptions) (Backup, *archive.Manifest, error) {
	copied := *s
	copied.root, copied.claims = o.Scratch, &claims{of: map[string]Series{}}
	n := NewBackup{Manifest: *m.Head(), Fresh: true, Taken: m.Started, id: m.ID}
	if m.Encryption != nil {
		n.Recipients = m.Encryption.Recipients
	}
	if m.RecipeFile != nil {
		recipe, err := archive.ReadRecipe(b.Dir, m, o.Identities)
		if err != nil {
			return Backup{}, nil, err
		}
		n.Told = func() []byte { return recipe }
	}

	whole, err := copied.Create(ctx, n, func(ctx context.Context, a *archive.Archive) (err error) {
		r, err := s.Open(ctx, b, archive.OpenOptions{Identities: o.Identities})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		a.Exclusions = append(a.Exclusions, m.Exclusions...)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = a.Add(h, r)
			}
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		return Backup{}, nil, err
	}
	full, err := copied.Load(whole, o.Identities)
	if err == nil && full.Content != m.Content {
		err = archive.Damagef(archive.DamageContent, archive.ManifestName, "put together, it has another content")
	}
	return whole, full, err
}

func exportFiles(ctx context.Context, b Backup, m *archive.Manifest, w io.Writer) error {
	manifest, err := disk.ReadPlain(filepath.Join(b.Dir, archive.ManifestName), maxManifest)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := exportHeader(out, b, m, archive.ArchiveFile{File: archive.ManifestName, Bytes: int64(len(manifest))}); err != nil {
		return err
	}
	if _, err := out.Write(manifest); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	for _, file := range filesOf(m) {
		if err := exportFile(ctx, out, b, m, file); err != nil {
			return err
		}
	}

	if err := exportRecipe(out, b, m); err != nil {
		return err
	}
	return out.Close()
}

func exportHeader(out *tar.Writer, b Backup, m *archive.Manifest, file archive.ArchiveFile) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(b.Sandbox, b.ID, file.File), Size: file.Bytes, Mode: 0o600, ModTime: m.Finished}
	if err := out.WriteHeader(h); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	return nil
}

func exportFile(ctx context.Context, out *tar.Writer, b Backup, m *archive.Manifest, file archive.ArchiveFile) error {
	f, err := archive.OpenFile(b.Dir, file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := exportHeader(out, b, m, file); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), contextReader{ctx, f}); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != file.SHA256 {
		return archive.Damagef(archive.DamageDigest, file.File, "its SHA-256 is %s, not %s", got, file.SHA256)
	}
	return nil
}

func exportRecipe(out *tar.Writer, b Backup, m *archive.Manifest) error {
	recipe, err := recipeText(b, m)
	if err != nil || recipe == nil {
		return err
	}
	if err := exportHeader(out, b, m, *m.RecipeFile); err != nil {
		return err
	}
	if _, err := out.Write(recipe); err != nil {
		return fmt.Errorf("export backup %s: %w", b.ID, err)
	}
	return nil
}
