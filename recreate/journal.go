package recreate

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
)

// Step is a place on the way of one sandbox. It is in the journal before its effect begins. The words are stable:
// standard error, the journal and docs/backups.md share them.
type Step string

// The steps, in order.
const (
	StepReleasing Step = "releasing" // what extensions hold for the sandbox that is gone
	StepCreating  Step = "creating"
	StepWaiting   Step = "waiting" // until it is Ready, and still Ready
	StepRestoring Step = "restoring"
	StepStarting  Step = "starting" // or left stopped
)

// Entry is the journal's record of a sandbox that is half made.
type Entry struct {
	Name      string `json:"name"`
	Gateway   string `json:"gateway"`
	Workspace string `json:"workspace,omitempty"`
	Root      string `json:"root"`   // of the store
	Backup    string `json:"backup"` // whose home it gets
	Step      Step   `json:"step"`
	// Request is what the gateway is asked for, environment values included, without what extensions had added.
	Request lifecycle.Request `json:"request"`
	NewID   string            `json:"newId,omitempty"` // of what was created
	Again   string            `json:"again,omitempty"` // the command line that goes on
	Begun   time.Time         `json:"begun"`
	Updated time.Time         `json:"updated"`
}

func (e Entry) key() string { return journal.SandboxKey(e.Gateway, e.Workspace, e.Name) }

// Address is how people write the sandbox.
func (e Entry) Address() string { return sandbox.Address(e.Workspace, e.Name) }

// Sandbox is the one that is half made, as far as the record names it.
func (e Entry) Sandbox() sandbox.Sandbox {
	return sandbox.Sandbox{Name: e.Name, Gateway: e.Gateway, Workspace: e.Workspace}
}

func (e Entry) about() string { return fmt.Sprintf("the recreation of sandbox %q", e.Address()) }

// Unfinished is the shelf of sandboxes that are half made, in sandkeeper's state folder.
func Unfinished(state string) journal.Shelf[Entry] {
	return journal.NewShelf(filepath.Join(state, "recreating"), journal.Kind[Entry]{About: Entry.about, Check: checkEntry})
}

func checkEntry(key string, e Entry) error {
	if e.key() != key {
		return errors.New("it speaks of another sandbox than its name")
	}
	return nil
}
