package restore

import (
	"fmt"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/sandbox"
)

// UnfinishedRestoreError means that a restore into a sandbox has not ended: what is in it may be half old and half new, so that a
// backup of it would be a backup of neither.
type UnfinishedRestoreError struct {
	Sandbox string
	Backup  string // that is being restored
	Since   time.Time
	PID     int // of the process that restores; 0 when that is dead
}

// Error says what was begun.
func (e *UnfinishedRestoreError) Error() string {
	if e.PID != 0 {
		return fmt.Sprintf("process %d is restoring backup %s into it", e.PID, e.Backup)
	}
	return fmt.Sprintf("a restore of backup %s into it, begun %s, did not end: its home may be half old and half new; finish it first: the warnings on standard error name the commands",
		e.Backup, e.Since.UTC().Format(time.RFC3339))
}

// UnfinishedRestore is an error when the journal of restores in dir has the home of sb half done, or cannot tell. A container's home is
// half done only while it is written; in one that is reached through a gateway, a stage lies all the time.
func UnfinishedRestore(dir string, sb sandbox.Sandbox) error {
	if dir == "" {
		return nil
	}
	exec, found, err := execJournalIn(dir).records().Get(home.ExecKey(sb.Gateway, sb.Name))
	if err != nil {
		return err
	}
	if found {
		return unfinished(exec.Sandbox, exec.Backup, exec.At, exec.PID, exec.ownerLives())
	}
	if sb.Container == nil {
		return nil
	}
	entry, found, err := restoreJournal{dir}.get(sb.Container.ID)
	if err != nil || !found || !entry.Writing {
		return err
	}
	return unfinished(entry.Sandbox, entry.Backup, entry.At, entry.PID, entry.OwnerLives())
}

func unfinished(name, backup string, since time.Time, pid int, alive bool) error {
	e := &UnfinishedRestoreError{Sandbox: name, Backup: backup, Since: since}
	if alive {
		e.PID = pid
	}
	return e
}
