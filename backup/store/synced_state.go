package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"sandkeeper/internal/disk"
)

const syncedName = "synced.json"

// Synced is the memory that a backup was brought off the host, kept beside its manifest.
type Synced struct {
	At     time.Time `json:"at"`
	Store  string    `json:"store"`  // the bucket, as people write it
	SHA256 string    `json:"sha256"` // of the archive that was brought there
}

// SyncedOf says when and where b's bytes were brought off the host; nil when they were not.
func SyncedOf(b Backup) *Synced {
	content, err := disk.ReadPlain(filepath.Join(b.Dir, syncedName), 1<<16)
	if err != nil || !b.Whole() {
		return nil
	}
	var y Synced
	if json.Unmarshal(content, &y) != nil || y.SHA256 != b.Manifest.Archive.SHA256 || y.At.IsZero() {
		return nil
	}
	return &y
}

// MarkSynced remembers that b was brought to a bucket now.
func (s *Store) MarkSynced(b Backup, bucket string) error {
	content, err := json.Marshal(Synced{At: s.now().UTC().Truncate(time.Second), Store: bucket, SHA256: b.Manifest.Archive.SHA256})
	if err != nil {
		return err
	}
	return disk.ReplaceFile(s.disk, b.Dir, syncedName, append(content, '\n'))
}

// ForgetSynced takes the note away: b is not there any more.
func (s *Store) ForgetSynced(b Backup) error {
	return disk.IgnoreMissing(os.Remove(filepath.Join(b.Dir, syncedName)))
}
