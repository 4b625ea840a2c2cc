package store

import (
	"errors"
	"io/fs"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// keepRecipe writes what the gateway told of the sandbox beside its archive, encrypted as that is.
func keepRecipe(st *disk.Staging, n NewBackup, m *archive.Manifest) error {
	if n.Told == nil {
		return nil
	}
	whole := n.Told()
	if len(whole) == 0 {
		return nil
	}
	sealed, err := archive.SealTo(n.Recipients)
	if err != nil {
		return err
	}
	packed, file, err := sealed.Recipe(whole)
	if err != nil {
		return err
	}
	m.RecipeFile = file
	return st.Write(file.File, packed)
}

// Recipe is all that the gateway told of the sandbox when b was made, values included. The error wraps fs.ErrNotExist
// when b keeps none.
func (s *Store) Recipe(b Backup, ids archive.Identities) ([]byte, error) {
	m, err := readManifest(b, true)
	if err != nil {
		return nil, err
	}
	return archive.ReadRecipe(b.Dir, m, ids)
}

// NewestRecipe is the newest backup of a series that keeps a recipe. The error wraps fs.ErrNotExist when none does.
func (s *Store) NewestRecipe(series Series) (Backup, error) {
	all, err := s.all(series.Name)
	if err != nil {
		return Backup{}, err
	}
	for _, b := range all {
		if b.Whole() && b.Series().Is(series) && b.Manifest.RecipeFile != nil {
			return b, nil
		}
	}
	return Backup{}, &NotFoundError{Sandbox: series.Address(), ID: "with a recipe"}
}

// recipeText is the file with the recipe as it lies on disk, proven; nil when b keeps none.
func recipeText(b Backup, m *archive.Manifest) ([]byte, error) {
	packed, err := archive.RecipeBytes(b.Dir, m)
	if m.RecipeFile == nil && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return packed, err
}
