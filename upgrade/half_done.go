package upgrade

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// HalfDoneError means that an unfinished upgrade has made a sandbox anew, and that its home is not known to be whole
// again: a backup of it would pass for its newest state, and may be empty.
type HalfDoneError struct {
	Sandbox string // its address
	Step    Step
	Backup  string // has the home whole
}

// Error says which backup to keep to, and how the upgrade is ended.
func (e *HalfDoneError) Error() string {
	return fmt.Sprintf("its upgrade is not finished (at %s), so its home may be half done; backup %s has it whole; "+
		"to go on: sandkeeper upgrade-sandboxes --resume --only %s; to go back: sandkeeper upgrade-sandboxes --rollback --only %s",
		e.Step, e.Backup, e.Sandbox, e.Sandbox)
}

// HalfDone is a *HalfDoneError when the journal in dir has an upgrade of sb that made it anew and has not compared its
// home with the backup yet, also while another process is at work on it; or why the journal cannot be read. It changes
// nothing.
func HalfDone(dir string, sb sandbox.Sandbox) error {
	entries, err := peekOld(filepath.Join(dir, oldName))
	if err != nil {
		return err
	}
	all, err := upgrades(dir).All()
	if err != nil {
		return damagedRecord(err)
	}
	for _, seen := range all {
		if seen.Err != nil && seen.Key == journal.SandboxKey(sb.Gateway, sb.Workspace, sb.Name) {
			return damagedRecord(seen.Err)
		}
		entries = append(entries, seen.Value)
	}

	for i := range entries {
		if e := &entries[i]; e.replaced(sb) && !e.homeIsWhole() {
			return &HalfDoneError{Sandbox: e.Address(), Step: e.Step, Backup: e.Backup}
		}
	}

	return nil
}

// replaced reports whether sb may be what the upgrade has put in the old sandbox's place. An inventory that saw no
// gateway names none.
func (e *Entry) replaced(sb sandbox.Sandbox) bool {
	same := e.Name == sb.Name && cmp.Or(e.Workspace, sandbox.DefaultWorkspace) == cmp.Or(sb.Workspace, sandbox.DefaultWorkspace)
	return e.DeleteRequested && same && (e.Gateway == sb.Gateway || sb.Gateway == "") && e.OldID != sb.ID
}

func (e *Entry) homeIsWhole() bool {
	return slices.Contains([]Step{StepCompared, StepStarting, StepStarted, StepFinishing, StepDone, StepRolledBack}, e.Step)
}
