package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"sandkeeper/internal/disk"
	"sandkeeper/internal/text"
)

// Told is what a gateway told of a sandbox.
type Told struct {
	Origin        // for the manifest: names, no values
	Image  string // the reference that was asked for; "" when the gateway's default image was
	Whole  []byte // all of it, values included, for the file beside the manifest; nil: nothing is kept there
}

// maxRecipe bounds what is read of a recipe: its policy may be long, and nothing else is.
const maxRecipe = 64 << 20

// Recipe packs what a gateway told as the content of its file, and describes that file for the manifest.
func (s sealing) Recipe(whole []byte) ([]byte, *ArchiveFile, error) {
	var packed bytes.Buffer
	w, err := s.Writer(&packed)
	if err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(whole); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(packed.Bytes())
	return packed.Bytes(), &ArchiveFile{File: s.RecipeName(), Bytes: int64(packed.Len()), SHA256: hex.EncodeToString(sum[:])}, nil
}

// ReadRecipe reads the recipe in a backup's folder as the manifest promises it. The error wraps fs.ErrNotExist when the
// manifest promises none, ErrNoIdentity when no key opens it, and is a *DamageError when the file is not the promised
// one.
func ReadRecipe(dir string, m *Manifest, ids Identities) ([]byte, error) {
	packed, err := RecipeBytes(dir, m)
	if err != nil {
		return nil, err
	}
	plain, err := ids.open(bytes.NewReader(packed), m)
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(plain)
	if err != nil {
		return nil, &DamageError{Kind: DamageRecipe, Object: m.RecipeFile.File, Err: err}
	}
	return whole, nil
}

// RecipeBytes is the file with the recipe as it lies on disk, proven. The error is that of ReadRecipe.
func RecipeBytes(dir string, m *Manifest) ([]byte, error) {
	f := m.RecipeFile
	if f == nil {
		return nil, text.As(fs.ErrNotExist, "backup %s keeps no recipe", m.ID)
	}
	if err := CheckRecipeFile(f); err != nil {
		return nil, err
	}
	packed, err := disk.ReadPlain(filepath.Join(dir, f.File), maxRecipe)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Damagef(DamageRecipe, f.File, "it is missing")
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageRecipe, Object: f.File, Err: err}
	}
	sum := sha256.Sum256(packed)
	if got := hex.EncodeToString(sum[:]); got != f.SHA256 {
		return nil, Damagef(DamageRecipe, f.File, "its SHA-256 is %s, not %s", got, f.SHA256)
	}
	return packed, nil
}

// CheckRecipeFile refuses what no manifest of this program says of a recipe: another file, or one beyond all measure.
func CheckRecipeFile(f *ArchiveFile) error {
	if f.File != RecipeName && f.File != EncryptedRecipeName || f.Bytes < 0 || f.Bytes > maxRecipe {
		return Damagef(DamageManifest, ManifestName, "it names the recipe %q of %d bytes", f.File, f.Bytes)
	}
	return nil
}
