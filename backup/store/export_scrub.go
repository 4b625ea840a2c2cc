package store

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// ScrubOptions say how a copy without credentials is made.
type ScrubOptions struct {
	Identities archive.Identities // private keys, for encrypted backups
	// Withhold takes the values out of a recipe; nil: the copy keeps no recipe.
	Withhold func(recipe []byte) ([]byte, error)
}

// ExportScrubbed is ExportFile of a copy of b without the credentials that are known by name or by content. It gives
// what was taken out; it is best effort and may have missed some. The copy is a backup with an id of its own, so that
// it cannot be taken for b.
func (s *Store) ExportScrubbed(ctx context.Context, b Backup, path string, o ScrubOptions) (taken []archive.Exclusion, err error) {
	abs, err := absent(path)
	if err != nil {
		return nil, err
	}
	dir, err := disk.NewScratch(filepath.Dir(abs), scratchPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder beside %s: %w", abs, err)
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()

	copied := *s
	copied.root = dir.Dir
	made, err := copied.createScrubbed(ctx, s, b, o)
	if err != nil {
		return nil, err
	}
	return made.Manifest.Exclusions, copied.ExportFile(ctx, made, abs, nil)
}

func (s *Store) createScrubbed(ctx context.Context, from *Store, b Backup, o ScrubOptions) (made Backup, err error) {
	m, err := from.Load(b, o.Identities)
	if err != nil {
		return Backup{}, err
	}
	copied := *m.Head()
	copied.Secrets, copied.Standing, copied.Encryption, copied.ContentOf = archive.SecretsScrubbed, nil, nil, ""
	copied.Exclusions = nil
	recipe, err := o.recipe(b, m)
	if err != nil {
		return Backup{}, err
	}
	told := func() []byte { return recipe }
	return s.Create(ctx, NewBackup{Manifest: copied, Taken: m.Started, Told: told}, func(ctx context.Context, a *archive.Archive) (err error) {
		r, err := from.Open(ctx, b, archive.OpenOptions{Identities: o.Identities})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		a.Exclusions = append(a.Exclusions, m.Exclusions...)
		return addScrubbed(a, r)
	})
}

// recipe is the backup's recipe without values; nil when it keeps none.
func (o ScrubOptions) recipe(b Backup, m *archive.Manifest) ([]byte, error) {
	if o.Withhold == nil || m.RecipeFile == nil {
		return nil, nil
	}
	recipe, err := archive.ReadRecipe(b.Dir, m, o.Identities)
	if err != nil {
		return nil, err
	}
	return o.Withhold(recipe)
}

// addScrubbed adds every entry of r to a, each through scrub.
func addScrubbed(a *archive.Archive, r *archive.Reader) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var content io.Reader = r
		if h.Typeflag == tar.TypeReg {
			kept, x, err := scrub(h, r)
			if err != nil {
				return err
			}
			if x != nil {
				a.Exclusions = append(a.Exclusions, *x)
			}
			if content = kept; kept == nil {
				continue
			}
		}

		if err := a.Add(h, content); err != nil {
			return err
		}
	}
}

// absent is path, absolute, when nothing is there. What is there is never replaced: the error wraps fs.ErrExist then.
func absent(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return abs, disk.MustBeAbsent(abs)
}
