package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// Backups keeps the content of sandboxes in a backup store. It is a Content.
type Backups struct {
	Store  *store.Store
	Engine *engine.Engine
	CLI    home.Execer // nil: no sandbox is reached through its gateway
	// Run makes a backup run as every command makes it.
	Run        func() *backup.Options
	Identities archive.Identities // for stores that encrypt
	Stall      time.Duration
	EngineWay  bool // no home is written through the file system
	Progress   func(home.Event)
	// Restoring is a folder for the journal of restores, apart from that of the restore command: what is put into
	// sandboxes that were just made is the upgrade's own matter. "": what a run that was killed has left of a restore
	// stays.
	Restoring string
	// LockWait is how long another run may take to let go of the store; 0 is two minutes.
	LockWait time.Duration
}

// lockName is what other runs are told about who holds the store.
const lockName = "upgrade-sandboxes"

// Check tries the lock, which also proves that the store can be written, and looks for room, unless that check is
// skipped: as much as the last backup took.
func (b *Backups) Check(_ context.Context, sb sandbox.Sandbox) error {
	lock, err := b.Store.Lock(lockName)
	if err != nil {
		return err
	}
	if err := lock.Unlock(); err != nil {
		return err
	}
	if slices.Contains(b.Run().SkippedChecks, preflight.CodeSpace) {
		return nil
	}
	last, err := b.Store.LatestOf(store.Series{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name})
	if err != nil || last.Manifest == nil {
		return nil // nothing to go by: the run itself estimates from the container
	}
	// Once for the archive, and once for the home, which a restore keeps a copy of.
	return b.Store.CheckSpace(sb.Address(), last.Manifest.Archive.Bytes+last.Manifest.Content.Bytes)
}

// Hold takes the store, waiting for another run to end.
func (b *Backups) Hold(ctx context.Context) (release func() error, err error) {
	wait := b.LockWait
	if wait == 0 {
		wait = 2 * time.Minute
	}
	ctx, cancel := text.Within(ctx, wait)
	defer cancel()
	for {
		lock, err := b.Store.Lock(lockName)
		if err == nil {
			return lock.Unlock, nil
		}
		if _, held := errors.AsType[*store.LockedError](err); !held {
			return nil, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Save backs sb up and reads the whole backup back.
func (b *Backups) Save(ctx context.Context, sb sandbox.Sandbox) (Saved, error) {
	return b.save(ctx, sb, b.Run())
}

// SaveReplaced is Save under the label of what restores replace: backup.Latest passes over it.
func (b *Backups) SaveReplaced(ctx context.Context, sb sandbox.Sandbox) (Saved, error) {
	run := b.Run()
	run.Label = archive.LabelBeforeRestore
	return b.save(ctx, sb, run)
}

func (b *Backups) save(ctx context.Context, sb sandbox.Sandbox, run *backup.Options) (Saved, error) {
	run.Reread = true // what follows deletes the sandbox
	summary, err := run.All(ctx, sandbox.Inventory{Sandboxes: []sandbox.Sandbox{sb}, Source: "gateway+containers"})
	if err != nil {
		return Saved{}, err
	}
	if len(summary.Sandboxes) != 1 || summary.Sandboxes[0].Status != store.BackedUp {
		return Saved{}, notSaved(sb.Address(), summary)
	}
	o := summary.Sandboxes[0]
	made, err := b.Store.Find(sb.Name, o.Backup.ID)
	if err != nil {
		return Saved{}, err
	}
	_, err = b.Store.VerifyWith(ctx, made, store.VerifyOptions{ReadData: true, Identities: b.Identities})
	return Saved{ID: made.ID}, err
}

func notSaved(name string, s backup.Summary) error {
	if len(s.Sandboxes) == 0 {
		return fmt.Errorf("sandbox %q was not backed up", name)
	}
	o := s.Sandboxes[0]
	if o.Err() != nil {
		return fmt.Errorf("backup of sandbox %q: %w", name, o.Err())
	}
	return fmt.Errorf("sandbox %q was not backed up: %s", name, o.Reason)
}

func (b *Backups) request(sb sandbox.Sandbox, id string) (restore.Request, error) {
	saved, err := b.Store.Find(sb.Name, id)
	return restore.Request{
		Store: b.Store, Backup: saved, Identities: b.Identities, Target: sb, Engine: b.Engine, CLI: b.CLI,
		Scope: restore.ScopeFull, Consent: true, Stall: b.Stall, EngineWay: b.EngineWay, Progress: b.Progress, Journal: b.Restoring,
	}, err
}

// Restore puts the whole backup in place and reads it back.
func (b *Backups) Restore(ctx context.Context, sb sandbox.Sandbox, id string) error {
	request, err := b.request(sb, id)
	if err != nil {
		return err
	}
	b.recover(ctx)
	summary, err := restore.Restore(ctx, request)
	if left, ok := errors.AsType[*restore.NotPutBackError](err); ok {
		// The sandbox was just made: what was there came with its image, and goes with it.
		err = errors.Join(left.Err, os.Remove(left.File))
	}
	if err == nil && !summary.Done {
		err = fmt.Errorf("backup %s was not restored to the end", id)
	}
	return err
}

// recover clears up after restores whose process died before they wrote; a restore that died later is taken over. A
// record that is left alone hinders at most the sandbox that it is about.
func (b *Backups) recover(ctx context.Context) {
	if b.Restoring != "" {
		dial := func(context.Context, string) (restore.Restarter, error) { return b.Engine, nil }
		restore.Recoverer{Dial: dial, Keep: b.keep}.Recover(ctx, journal.Restores(b.Restoring))
	}
}

// keep is a restore.KeepFunc for the store of the upgrade, which holds its lock.
func (b *Backups) keep(root string, save func(*store.Store) error) error {
	if root != b.Store.Root() {
		return fmt.Errorf("%s is another store than that of the upgrade", root)
	}
	return save(b.Store)
}

// Sweep removes the copies that restores have kept of what was in an upgrade's sandbox when it had just been made.
func (b *Backups) Sweep(e *Entry) error {
	if b.Restoring == "" {
		return nil
	}
	return restore.Drop(journal.Restores(b.Restoring), e.Gateway, e.Workspace, e.Name)
}

// Compare reads the home and the backup, and holds every entry and every byte against each other.
func (b *Backups) Compare(ctx context.Context, sb sandbox.Sandbox, id string, stateOnly bool) (Differences, error) {
	request, err := b.request(sb, id)
	if err != nil {
		return Differences{}, err
	}
	request.DryRun = true
	if stateOnly {
		request.Scope = restore.ScopeState
	}
	summary, err := restore.Restore(ctx, request)
	return Differences{Missing: summary.Added, Changed: summary.Changed}, err
}
