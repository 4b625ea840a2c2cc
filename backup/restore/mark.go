package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// restoreMark is the record of a restore under way, which is ours until end. Without a journal it only remembers.
type restoreMark struct {
	record  *journal.Record[journal.Restore] // nil: nothing is written
	entry   journal.Restore
	stopped bool // we stopped the container, and it does not run again yet
	kept    bool // what an exchange took away is not yet a backup
	resumed bool // a killed restore had begun to write: entry.Copy, not the home, is what was there before
}

// mark notes the restore into c before anything is done to it. Where an earlier restore was killed while it wrote, this
// one takes over from it: what that one kept counts as the old content. A restore that lives is not taken over from:
// *journal.HeldError.
func (j *restoreJob) mark(ctx context.Context, c engine.Container, e home.EngineReach) (*restoreMark, error) {
	m := &restoreMark{entry: journal.Restore{
		Sandbox: j.Target.Name, From: j.manifest.Sandbox, Backup: j.Backup.ID, Scope: string(j.Scope), Root: filepath.Clean(j.kept().Root()),
		Gateway: j.Target.Gateway, Workspace: j.Target.Workspace, FromWorkspace: j.manifest.Workspace,
		Home: j.summary.Home, Running: c.Running(), Stopping: c.Running(), Through: j.through(),
	}}
	if j.Keep != nil {
		m.entry.Source = j.Store.Root()
	}
	if j.Journal == "" {
		return m, nil
	}
	identity, err := e.Identity(ctx)
	if err != nil {
		return nil, err
	}
	m.entry.Pause = journal.Pause{Container: c.ID, Created: c.Created, Name: c.Name, Engine: identity, Host: e.Host(), At: time.Now().UTC()}
	if m.record, err = journal.Restores(j.Journal).Own(ctx, c.ID); err != nil {
		return nil, fmt.Errorf("a restore into container %q cannot begin: %w", c.Name, err)
	}
	if m.record.Found {
		err = m.takeOver(m.record.Value)
	}
	if err == nil {
		err = m.write()
	}
	if err != nil {
		return nil, errors.Join(err, m.record.Close())
	}
	return m, nil
}

func (m *restoreMark) takeOver(left journal.Restore) error {
	if left.Exchange != nil {
		return fmt.Errorf("a restore into sandbox %q that was killed has not been ended; run any command of sandkeeper first, which does that or says why not", sandbox.Address(left.Workspace, left.Sandbox))
	}
	m.entry.Running = m.entry.Running || left.Running
	m.entry.Through = cmp.Or(m.entry.Through, left.Through)
	if !left.Writing {
		return nil
	}
	same := m.entry.Scope == left.Scope && m.entry.Backup == left.Backup
	if m.entry.Scope != string(ScopeFull) && !same {
		return fmt.Errorf("a restore of backup %s into sandbox %q was killed while it wrote; finish that one, or restore the whole home (--scope full)", left.Backup, sandbox.Address(left.Workspace, left.Sandbox))
	}
	if _, err := os.Stat(left.Copy); err != nil {
		return nil // removed by somebody: what the home holds now is all there is
	}
	m.entry.Copy, m.entry.Previous, m.entry.Writing, m.resumed = left.Copy, left.Previous, true, true
	return nil
}

// copying notes where the complete copy of the home is being made.
func (m *restoreMark) copying(file string) error {
	m.entry.Copy, m.entry.Stopping = file, false
	return m.write()
}

// writing notes, before the first byte of the home is replaced, that from now on the home may be half done.
func (m *restoreMark) writing(previous string) error {
	m.entry.Previous, m.entry.Writing = previous, true
	err := m.write()
	m.entry.Writing = err == nil
	return err
}

// whole notes that the home is whole again, with the new content or the old.
func (m *restoreMark) whole() error {
	m.entry.Writing = false
	return m.write()
}

func (m *restoreMark) write() error {
	if m.record == nil {
		return nil
	}
	if err := m.record.Put(m.entry); err != nil {
		return fmt.Errorf("the restore could not be journalled: %w", err)
	}
	return nil
}

// end gives the record up, and takes it away unless the home is half done or the container did not come back: then it
// is told by the next run.
func (m *restoreMark) end() error {
	if m.record == nil {
		return nil
	}
	var err error
	if !m.entry.Writing && !m.stopped && !m.kept {
		err = m.record.Remove()
	}
	return errors.Join(err, m.record.Close())
}
