package cmd

import (
	"context"
	"encoding/json"
	"time"

	"sandkeeper/backup/bucket"
	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
)

// tell writes what this host has in the bucket, in short, for "fleet status".
func (a *app) tell(ctx context.Context, session *bucket.Session, b *bucket.Bucket, st *store.Store, to outgoing) error {
	ids := session.IDs()
	look := watch.Off{
		Question: watch.Question{Store: st, Inventory: to.inventory, Complete: to.complete, Now: time.Now()},
		Place:    b.Address(), Host: b.Host(), Tool: version().Version,
	}
	return say(ctx, b, func(status *watch.HostStatus) (changed bool, err error) {
		*status, err = look.Look(*status, func(id string) bool { return ids[id] })
		return true, err
	})
}

// say changes what a host says of itself; change may be called more than once. What cannot be read any more is written
// anew.
func say(ctx context.Context, b *bucket.Bucket, change func(*watch.HostStatus) (changed bool, err error)) error {
	return b.ChangeStatus(ctx, func(said []byte) ([]byte, error) {
		status, err := watch.ReadHostStatus(b.Host(), said)
		if err != nil {
			status = watch.HostStatus{}
		}
		if changed, err := change(&status); err != nil || !changed {
			return nil, err
		}
		text, err := json.Marshal(status)
		return append(text, '\n'), err
	})
}

// prove changes what the host says of a series after one of its backups was tried in the bucket. A host that says
// nothing of it yet says so after its next run.
func (o *offHost) prove(ctx context.Context, gatewayState bool, b store.Backup, change func(*watch.Row)) error {
	if !b.Whole() {
		return nil
	}
	of := b.Series()
	if gatewayState {
		of.Name = b.Sandbox
	}
	return say(ctx, o.bucket, func(status *watch.HostStatus) (bool, error) { return status.Prove(of, gatewayState, change), nil })
}

// proven is b as the row of a host has it.
func proven(b store.Backup) *watch.Backup {
	m := b.Manifest
	return &watch.Backup{ID: b.ID, Started: m.Started, Bytes: m.Archive.Bytes, Files: m.Content.Files, Consistency: m.Consistency, Encrypted: true}
}

// proveVerified says that b was read back in the bucket, or, where it was damaged, that nothing proves it any more.
func (o *offHost) proveVerified(ctx context.Context, gatewayState bool, b store.Backup, whole bool) error {
	return o.prove(ctx, gatewayState, b, func(row *watch.Row) {
		read := proven(b)
		read.Verified = &store.Verified{At: time.Now().UTC().Truncate(time.Second), ReadData: true}
		row.Proved(read, whole)
	})
}

// proveDrilled says that b came back into a throw-away container.
func (o *offHost) proveDrilled(ctx context.Context, b store.Backup, took time.Duration, check string) error {
	return o.prove(ctx, false, b, func(row *watch.Row) {
		if row.Drilled == nil || row.Drilled.ID <= b.ID {
			row.Drilled = proven(b)
			row.Drilled.Drilled = &store.Drilled{At: time.Now().UTC().Truncate(time.Second), TookMs: took.Milliseconds(), Check: check}
		}
	})
}
