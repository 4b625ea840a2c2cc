package watch

import (
	"cmp"
	"slices"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// Row is one sandbox, or one gateway whose own state is saved.
type Row struct {
	Host      string  `json:"host,omitempty"` // of a fleet; "" is this host
	Sandbox   string  `json:"sandbox"`
	Workspace string  `json:"workspace"`
	Gateway   string  `json:"gateway"`
	State     State   `json:"state"`
	Reason    string  `json:"reason"`   // what is odd about the sandbox or its backups; "" when nothing is
	Newest    *Backup `json:"newest"`   // nil without a whole one
	Verified  *Backup `json:"verified"` // the newest one that was read to its last byte
	Drilled   *Backup `json:"drilled"`  // the newest one that was restored into a throw-away container
	OffHost   *Backup `json:"offHost"`  // the newest one that is off the host as well
	Backups   int     `json:"backups"`
	Damaged   int     `json:"damaged"`
	Growth    []Point `json:"growth"` // how many bytes were kept of it, after each backup

	Refuted []string `json:"refuted,omitempty"` // off the host: backups that were found damaged there
}

// Address is how people write the row's sandbox.
func (r Row) Address() string {
	if r.Sandbox == "" {
		return "(gateway " + r.Gateway + ")"
	}
	return sandbox.Address(r.Workspace, r.Sandbox)
}

// row is a sandbox of the inventory.
func (q Question) row(of store.Series, sb sandbox.Sandbox, group []store.Backup) Row {
	r := q.judge(of, group)
	r.Reason = sb.Reason
	if sb.Standing == sandbox.Orphaned {
		r.State = Gone
	}
	return r
}

// left is a series of which no sandbox was seen.
func (q Question) left(group []store.Backup) Row {
	r := q.judge(seriesOf(group), group)
	if q.Complete {
		r.State, r.Reason = Gone, "no such sandbox is on this host any more"
	} else {
		r.Reason = "whether the sandbox is still there could not be seen"
	}
	return r
}

// judge sums up the backups of one series.
func (q Question) judge(of store.Series, group []store.Backup) Row {
	r := Row{Sandbox: of.Name, Workspace: cmp.Or(of.Workspace, sandbox.DefaultWorkspace), Gateway: of.Gateway, Backups: len(group), Growth: Growth(group)}
	for _, b := range group {
		if !b.Whole() {
			r.Damaged++
		}
	}

	chosen := store.Chosen(group)
	if len(chosen) > 0 {
		r.Newest = inShort(chosen[0])
	}
	if at := slices.IndexFunc(chosen, func(b store.Backup) bool { return b.Verified != nil && b.Verified.ReadData }); at >= 0 {
		r.Verified = inShort(chosen[at])
	}
	if at := slices.IndexFunc(chosen, func(b store.Backup) bool { return store.DrilledOf(b) != nil }); at >= 0 {
		r.Drilled = inShort(chosen[at])
	}
	if at := slices.IndexFunc(chosen, func(b store.Backup) bool { return store.SyncedOf(b) != nil }); at >= 0 {
		r.OffHost = inShort(chosen[at])
	}
	r.State = q.state(r)
	return r
}

func inShort(b store.Backup) *Backup {
	m := b.Manifest
	return &Backup{
		ID: b.ID, Path: b.Dir, Started: m.Started, Bytes: m.Archive.Bytes, Files: m.Content.Files, Consistency: m.Consistency,
		Encrypted: m.Encryption != nil, Verified: b.Verified, Drilled: store.DrilledOf(b),
		Synced: store.SyncedOf(b),
	}
}

func (q Question) state(r Row) State {
	switch {
	case r.Newest == nil && r.Damaged > 0:
		return Damaged
	case r.Newest == nil:
		return None
	case q.MaxAge == 0 && r.Verified != nil && r.Verified.ID == r.Newest.ID, q.MaxAge > 0 && r.Verified != nil && q.young(*r.Verified):
		return OK
	case q.MaxAge == 0 || q.young(*r.Newest):
		return Unverified
	}
	return Old
}

func (q Question) young(b Backup) bool {
	age := q.Now.Sub(b.Started)
	return age <= q.MaxAge && age >= -ahead
}

// Backup is one backup in short.
type Backup struct {
	ID          string              `json:"id"`
	Path        string              `json:"path"`
	Started     time.Time           `json:"started"`
	Bytes       int64               `json:"bytes"` // of its archive
	Files       int                 `json:"files"`
	Consistency archive.Consistency `json:"consistency"`
	Encrypted   bool                `json:"encrypted"`
	Verified    *store.Verified     `json:"verified"`
	Drilled     *store.Drilled      `json:"drilled"`
	Synced      *store.Synced       `json:"synced"` // when and where it was brought off the host
}
