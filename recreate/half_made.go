package recreate

import (
	"cmp"
	"fmt"

	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// HalfMadeError means that a sandbox was made again and that its home is not known to be whole: a backup of it would
// pass for its newest state, and may be empty.
type HalfMadeError struct{ Entry }

// Error says which backup has the home, and how the recreation goes on.
func (e *HalfMadeError) Error() string {
	return fmt.Sprintf("it is being made again (at %s), so its home may be half done; backup %s has it whole; to go on: %s", e.Step, e.Backup, e.Command())
}

// Begun is the backup that a sandbox is half made from; "" when none is half made, or it cannot be read.
func Begun(state string, series store.Series, root string) (backup string) {
	e := Entry{Gateway: series.Gateway, Workspace: series.Workspace, Name: series.Name}
	seen, found, err := Unfinished(state).Look(e.key())
	if err != nil || !found || seen.Err != nil || seen.Value.Root != root {
		return "" // what is wrong with it is said when it is gone on with
	}
	return seen.Value.Backup
}

// Command is the command line that goes on with the recreation.
func (e Entry) Command() string {
	if e.Again != "" {
		return e.Again
	}
	return fmt.Sprintf("sandkeeper restore %s --recreate --backup %s", e.Address(), e.Backup)
}

// HalfMade is a *HalfMadeError when sb is being made again, also by another process that is at work on it. It changes
// nothing.
func HalfMade(state string, sb sandbox.Sandbox) error {
	all, err := Unfinished(state).All()
	if err != nil {
		return err
	}
	for _, seen := range all {
		e := seen.Value
		same := e.Name == sb.Name && cmp.Or(e.Workspace, sandbox.DefaultWorkspace) == cmp.Or(sb.Workspace, sandbox.DefaultWorkspace)
		if seen.Err == nil && same && (e.Gateway == sb.Gateway || sb.Gateway == "") && e.fills(sb.ID) {
			return &HalfMadeError{Entry: e}
		}
	}
	return nil
}

// fills reports whether the sandbox with that id is, or may be, the one whose home is not back yet.
func (e Entry) fills(id string) bool {
	switch e.Step {
	case StepReleasing, StepStarting:
		return false
	}
	return e.NewID == "" || e.NewID == id
}
