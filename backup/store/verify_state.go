package store

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"time"

	"sandkeeper/internal/disk"
)

// Verified is the memory of a successful verification, kept beside the manifest. It is a hint for listings and pruning;
// a restore verifies again.
type Verified struct {
	At       time.Time `json:"at"`
	ReadData bool      `json:"readData"` // every byte was read, not only the structure
	SHA256   string    `json:"sha256"`   // of the archive that was verified
}

// readVerified gives the last verification of b's bytes; nil when there was none or it speaks of other bytes.
func readVerified(b Backup) *Verified {
	content, err := disk.ReadPlain(filepath.Join(b.Dir, verifiedName), 1<<16)
	if err != nil {
		return nil
	}
	var v Verified
	if json.Unmarshal(content, &v) != nil || v.SHA256 != b.Manifest.Archive.SHA256 || v.At.IsZero() {
		return nil
	}
	return &v
}

// MarkVerified remembers that b was verified now: not of one whose manifest could not be read when it was found.
func (s *Store) MarkVerified(b Backup, readData bool) error {
	if b.Manifest == nil {
		return cmp.Or(b.Damage, fs.ErrInvalid)
	}
	v := Verified{At: s.now().UTC().Truncate(time.Second), ReadData: readData, SHA256: b.Manifest.Archive.SHA256}
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return disk.ReplaceFile(s.disk, b.Dir, verifiedName, append(content, '\n'))
}

// ForgetVerified takes the memory of an earlier verification away: b turned out to be damaged since.
func (s *Store) ForgetVerified(b Backup) error {
	return disk.IgnoreMissing(s.disk.Remove(filepath.Join(b.Dir, verifiedName)))
}
