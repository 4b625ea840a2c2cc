package store

import "sandkeeper/backup/archive"

// Status is how one sandbox came out of a run.
type Status string

// Every sandbox of a run has exactly one of these. A dry run skips what it would back up, and says so
// (Outcome.Planned).
const (
	BackedUp Status = "backed_up"
	Failed   Status = "failed"
	Skipped  Status = "skipped"
	Orphaned Status = "orphaned"
)

// Saved is one backup as a run made it.
type Saved struct {
	ID          string              `json:"id"`
	Path        string              `json:"path"`
	Bytes       int64               `json:"bytes"` // of the archive
	Files       int                 `json:"files"`
	SHA256      string              `json:"sha256"`
	Consistency archive.Consistency `json:"consistency"`
	Way         archive.Way         `json:"way,omitempty"`
	WayReason   string              `json:"wayReason,omitempty"` // why it was not the direct one
	Inexact     []archive.Inexact   `json:"inexact,omitempty"`   // what that way did not carry
	Content     int64               `json:"contentBytes"`
	Exclusions  int                 `json:"exclusions"`
	ContentOf   string              `json:"contentOf,omitempty"` // the backup for which the files were read; "": this one
}

// SavedOf is what a run tells of the backup b, in which so many things were left out.
func SavedOf(b Backup, exclusions int) *Saved {
	m := b.Manifest
	return &Saved{
		ID: b.ID, Path: b.Dir, Bytes: m.Archive.Bytes, Files: m.Content.Files, SHA256: m.Archive.SHA256,
		Consistency: m.Consistency, Way: m.Way, WayReason: m.WayReason, Inexact: m.Inexact, Content: m.Content.Bytes, Exclusions: exclusions, ContentOf: m.ContentOf,
	}
}
