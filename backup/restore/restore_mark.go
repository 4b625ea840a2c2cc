package restore

import (
	"fmt"
	"os"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
)

// restoreMark is the journal entry of a restore under way. Without a journal it only remembers.
type restoreMark struct {
	journal restoreJournal // dir "": nothing is written
	entry   RestoreEntry
	stopped bool // we stopped the container, and it does not run again yet
	resumed bool // a killed restore had begun to write: entry.Copy, not the home, is what was there before
}

// mark journals the restore into c before anything is done to it. Where an earlier restore was killed while it wrote, this one
// takes over from it: what that one kept counts as the old content.
func (j *restoreJob) mark(c engine.Container, host string) (*restoreMark, error) {
	m := &restoreMark{journal: restoreJournal{j.Journal}, entry: RestoreEntry{
		Sandbox: j.Target.Name, From: j.manifest.Sandbox, Backup: j.Backup.ID, Scope: j.Scope, Root: j.Store.Root(),
		Home: j.summary.Home, Running: c.Running(), Stopping: c.Running(),
	}}
	if j.Journal == "" {
		return m, nil
	}
	own, err := home.NewJournal(j.Journal)
	if err != nil {
		return nil, err
	}
	m.entry.PausedEntry = own.Entry(c, host, time.Now())
	left, found, err := m.journal.get(c.ID)
	if err != nil {
		return nil, err
	}
	if found {
		if err := m.takeOver(left); err != nil {
			return nil, err
		}
	}
	return m, m.write()
}

func (m *restoreMark) takeOver(left RestoreEntry) error {
	if left.OwnerLives() {
		return fmt.Errorf("container %q is being restored by process %d", left.Name, left.PID)
	}
	m.entry.Running = m.entry.Running || left.Running
	if !left.Writing {
		return nil
	}
	same := m.entry.Scope == left.Scope && m.entry.Backup == left.Backup
	if m.entry.Scope != ScopeFull && !same {
		return fmt.Errorf("a restore of backup %s into sandbox %q was killed while it wrote; finish that one, or restore the whole home (--scope full)", left.Backup, left.Sandbox)
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
	if m.journal.dir == "" {
		return nil
	}
	if err := m.journal.put(m.entry); err != nil {
		return fmt.Errorf("the restore could not be journalled: %w", err)
	}
	return nil
}

// end takes the entry back, unless the home is half done or the container did not come back: then it is told by the next run.
func (m *restoreMark) end() error {
	if m.journal.dir == "" || m.entry.Writing || m.stopped {
		return nil
	}
	return m.journal.remove(m.entry.Container)
}
