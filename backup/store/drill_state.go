package store

import (
	"encoding/json"
	"path/filepath"
	"time"

	"sandkeeper/internal/disk"
)

const drilledName = "drilled.json"

// Drilled is the memory of a successful drill, kept beside the manifest: the backup was restored into a container of
// its image, compared, and tried.
type Drilled struct {
	At     time.Time `json:"at"`
	TookMs int64     `json:"tookMs"` // from nothing to a home that was read back and tried
	Check  string    `json:"check"`  // the command that ended well in it; "" when none was run
	SHA256 string    `json:"sha256"` // of the archive that was restored
}

// DrilledOf gives the last successful drill of b's bytes; nil when there was none or it speaks of other bytes.
func DrilledOf(b Backup) *Drilled {
	content, err := disk.ReadPlain(filepath.Join(b.Dir, drilledName), 1<<16)
	if err != nil || !b.Whole() {
		return nil
	}
	var d Drilled
	if json.Unmarshal(content, &d) != nil || d.SHA256 != b.Manifest.Archive.SHA256 || d.At.IsZero() {
		return nil
	}
	return &d
}

// MarkDrilled remembers that b was drilled now.
func (s *Store) MarkDrilled(b Backup, took time.Duration, check string) error {
	d := Drilled{At: s.now().UTC().Truncate(time.Second), TookMs: took.Milliseconds(), Check: check, SHA256: b.Manifest.Archive.SHA256}
	content, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return disk.ReplaceFile(s.disk, b.Dir, drilledName, append(content, '\n'))
}
