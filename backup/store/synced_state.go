package store

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"sandkeeper/internal/disk"
)

const syncedName = "synced.json"

// Synced is the memory that a backup was brought off the host, kept beside its manifest. Without At and Store it is in
// none of the buckets any more.
type Synced struct {
	At     time.Time `json:"at,omitzero"`
	Store  string    `json:"store,omitempty"`  // the bucket, as people write it
	SHA256 string    `json:"sha256"`           // of the archive that was brought there
	Stores []string  `json:"stores,omitempty"` // every bucket that it was ever brought to
}

// SyncedOf says when and where b's bytes were brought off the host; nil when they were not, or are not there any more.
func SyncedOf(b Backup) *Synced {
	y := readSynced(b)
	if y.At.IsZero() {
		return nil
	}
	return &y
}

// WasSynced reports whether b's bytes were ever brought to a bucket. If they are not there, somebody removed them.
func WasSynced(b Backup, bucket string) bool {
	y := readSynced(b)
	return y.Store == bucket || slices.Contains(y.Stores, bucket)
}

// readSynced gives the note beside b; the zero value when there is none or it speaks of other bytes.
func readSynced(b Backup) Synced {
	content, err := disk.ReadPlain(filepath.Join(b.Dir, syncedName), 1<<16)
	if err != nil || !b.Whole() {
		return Synced{}
	}
	var y Synced
	if json.Unmarshal(content, &y) != nil || y.SHA256 != b.Manifest.Archive.SHA256 {
		return Synced{}
	}
	return y
}

// MarkSynced remembers that b was brought to a bucket now.
func (s *Store) MarkSynced(b Backup, bucket string) error {
	return s.writeSynced(b, Synced{At: s.now().UTC().Truncate(time.Second), Store: bucket})
}

// ForgetSynced remembers that b was removed from the bucket that its note names.
func (s *Store) ForgetSynced(b Backup) error { return s.writeSynced(b, Synced{}) }

// writeSynced writes the note anew, with every bucket that the one before names.
func (s *Store) writeSynced(b Backup, y Synced) error {
	before := readSynced(b)
	y.SHA256, y.Stores = b.Manifest.Archive.SHA256, before.Stores
	for _, bucket := range []string{before.Store, y.Store} {
		if bucket != "" && !slices.Contains(y.Stores, bucket) {
			y.Stores = append(y.Stores, bucket)
		}
	}
	content, err := json.Marshal(y)
	if err != nil {
		return err
	}
	return disk.ReplaceFile(s.disk, b.Dir, syncedName, append(content, '\n'))
}
