package cmd

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/backup"
	"sandkeeper/backup/bucket"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
)

// backedUp is the result of backup-all. OffHost is nil where nothing was to leave the host.
type backedUp struct {
	backup.Summary
	OffHost *broughtOff `json:"offHost,omitempty"`

	empty bool // there is nothing on this host that could be saved
}

// broughtOff is what backup-all brought into a bucket.
type broughtOff struct {
	syncResult
	Reason string `json:"reason"` // why something is not there; "" when all of it is
}

// checkOffHost judges where backups are to be brought, before anything is looked at. Under --offline a mistake in the
// config file bars no backup: it is told, and nothing leaves the host.
func (o *backupAllOptions) checkOffHost() error {
	if o.store.bucket.address == "" {
		return nil
	}
	if len(o.seal.sealTo) == 0 {
		o.seal.sealTo = o.capture.encryptTo
	}
	b, err := o.bucket()
	if err == nil {
		o.offHost = b.Address()
		return nil
	}
	setting, place, _ := o.app.settings.file.flag("store")
	if !o.offline || setting != o.store.bucket.address {
		return err
	}
	o.app.term.warn("%s: nothing leaves this host, and --offline does without it: %v", place, err)
	return nil
}

func (o *backupAllOptions) bucket() (*bucket.Bucket, error) {
	with, err := o.seal.options(o.store.bucket)
	if err != nil {
		return nil, err
	}
	return o.app.stores.bucket(o.store.bucket, with)
}

// bringOff brings what the bucket lacks there, after everything was saved on this host: what one run could not bring,
// the next one does. A run about sandboxes that were named brings only theirs.
func (o *backupAllOptions) bringOff(ctx context.Context, st *store.Store, r *backedUp) error {
	if o.offHost == "" {
		return nil
	}
	r.OffHost = &broughtOff{syncResult: syncResult{Root: st.Root(), Store: o.offHost, Backups: []synced{}}}
	if o.dryRun {
		return nil
	}
	scopes, err := o.outgoing(st, r.Summary)
	if err != nil {
		return err
	}
	result, err := o.app.sync(ctx, st, scopes, outgoing{
		bucketOptions: o.store.bucket, sealOptions: o.seal, lockWait: o.store.lockWait, inventory: o.seen, complete: o.sawAll(),
	})
	if result != nil {
		r.OffHost.syncResult = *result
	}
	if err != nil {
		r.OffHost.Reason = failureOf(err).Error()
	}
	return err
}

// sawAll reports whether a sandbox that the run did not see is not on this host.
func (o *backupAllOptions) sawAll() bool {
	host := o.app.host
	return !o.offline && host.Gateway == "" && host.Workspace == "" && o.seen.Source != "" && o.seen.Partial == nil
}

// outgoing are the backups that the run is about.
func (o *backupAllOptions) outgoing(st *store.Store, s backup.Summary) ([]selection, error) {
	if len(o.only) == 0 {
		return selection{app: o.app, maybeNone: true}.scopes(st)
	}
	var scopes []selection
	for _, out := range s.Sandboxes {
		if out.Status == store.BackedUp {
			scopes = append(scopes, selection{app: o.app, store: st, name: out.Address()})
		}
	}
	return scopes, nil
}

// offHostOutcome is how a run ends of which not everything left the host: problem says why, and saved why a sandbox was
// not even saved. Both are nil where all went well.
func offHostOutcome(saved, problem error, s backup.Summary) error {
	switch {
	case problem == nil:
		return saved
	case errors.Is(problem, context.Canceled):
		return problem
	}

	why := failureOf(problem)
	f := &Failure{Code: ExitPartial, Kind: why.Kind, Hint: why.Hint, Err: fmt.Errorf("not all that is saved on this host has left it: %w", problem)}
	switch {
	case saved != nil:
		first := failureOf(saved)
		f.Code, f.Kind, f.Hint = first.Code, first.Kind, joinHints(first.Hint, why.Hint)
		f.Err = fmt.Errorf("%w; %w", saved, f.Err)
	case s.Totals.BackedUp == 0:
		f.Code = why.Code
	}

	return f
}

// joinHints are two hints below each other, without the empty ones.
func joinHints(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "\n" + second
}

// renderOff says what left the host.
func renderOff(term *terminal, b *broughtOff, dryRun bool) {
	switch {
	case b == nil:
	case dryRun:
		term.printf("Off the host: what is new would then be brought to %s, encrypted.", b.Store)
	case b.Reason != "":
		term.printf("Off the host: %s sent to %s, and not all: %s", backupCount(b.Sent), b.Store, b.Reason)
	case len(b.Backups) == 0:
		term.printf("Off the host: nothing is newer than what is in %s.", b.Store)
	default:
		term.printf("Off the host: %s sent, %s, to %s", backupCount(b.Sent), size.Text(b.Bytes), b.Store)
	}
}
