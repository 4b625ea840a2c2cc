package restore

import (
	"errors"
	"fmt"
	"time"

	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// UnfinishedError means that a restore into a sandbox has not ended: what is in it may be half old and half new, so
// that a backup of it would be a backup of neither.
type UnfinishedError struct {
	Sandbox string
	Backup  string // that is being restored
	Since   time.Time
	Owner   *journal.HeldError // the run that restores; nil when it is dead
}

// Error says what was begun.
func (e *UnfinishedError) Error() string {
	if e.Owner != nil {
		return fmt.Sprintf("%s is restoring backup %s into it", e.Owner.Holder.Name(), e.Backup)
	}
	return fmt.Sprintf("a restore of backup %s into it, begun %s, did not end: its home may be half old and half new; finish it first: the warnings on standard error name the commands",
		e.Backup, e.Since.UTC().Format(time.RFC3339))
}

// Unfinished is an error when the records of restores below dir have the home of sb half done, or cannot tell. A
// container's home is half done only while it is written; in a home that is reached through a gateway, a stage lies all
// the time.
func Unfinished(dir string, sb sandbox.Sandbox) error {
	if dir == "" {
		return nil
	}
	exec, found, err := lookAt(journal.ExecRestores(dir), journal.SandboxKey(sb.Gateway, sb.Workspace, sb.Name))
	if err != nil {
		return err
	}
	if e := exec.Value; found {
		return &UnfinishedError{Sandbox: e.Sandbox, Backup: e.Backup, Since: e.At, Owner: exec.Owner}
	}
	if sb.Container == nil {
		return nil
	}
	entry, found, err := lookAt(journal.Restores(dir), sb.Container.ID)
	if e := entry.Value; found && e.Writing {
		return &UnfinishedError{Sandbox: e.Sandbox, Backup: e.Backup, Since: e.At, Owner: entry.Owner}
	}
	return err
}

// lookAt is Look for who only wants to know what is under way. What another user has written says nothing; a record
// that only lacks the proof that its owner is dead says enough.
func lookAt[E any](shelf journal.Shelf[E], key string) (seen journal.Seen[E], found bool, err error) {
	seen, found, err = shelf.Look(key)
	if err == nil && !errors.Is(seen.Err, journal.ErrNoLock) {
		err = seen.Err
	}
	if errors.Is(err, journal.ErrForeign) {
		return journal.Seen[E]{}, false, nil
	}
	return seen, found && err == nil, err
}
