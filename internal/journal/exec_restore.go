package journal

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/internal/sandboxname"
)

// ExecStep is how far a restore through a gateway came; it says how what is in the sandbox becomes whole again.
type ExecStep string

// The steps, in their order.
const (
	ExecStaging   ExecStep = "staging"   // the home is untouched; a stage may lie in it
	ExecSwapping  ExecStep = "swapping"  // the home may be half old and half new; all of the old content is in it and in the stage
	ExecConfirmed ExecStep = "confirmed" // the home is new; what is in no backup may still be in the stage
)

// ExecRestore is what is known of a sandbox whose home a restore replaces through its gateway: enough to make it whole
// without the run that did it.
type ExecRestore struct {
	Sandbox string `json:"sandbox"` // that is restored into
	Gateway string `json:"gateway"`
	// Workspace is that of the sandbox; "" in a record of a version that knew none.
	Workspace string    `json:"workspace,omitempty"`
	From      string    `json:"from"` // the backup's sandbox
	Backup    string    `json:"backup"`
	Home      string    `json:"home"`
	Stage     string    `json:"stage"` // a folder in the home
	Step      ExecStep  `json:"step"`
	Names     []string  `json:"names,omitempty"` // what is replaced, in the home; none: all of it
	Carry     []string  `json:"carry,omitempty"` // what is taken over from the old content
	Previous  string    `json:"previous"`        // id of the backup of the home from before
	At        time.Time `json:"at"`              // when the restore began
}

// StagePrefix begins the names of stages.
const StagePrefix = ".sandkeeper-restore-"

// ExecRestores is the shelf of restores through gateways, below that of containers. A record is there before the
// sandbox is touched, and goes after nothing of the restore is left in it.
func ExecRestores(restoring string) Shelf[ExecRestore] {
	return NewShelf(filepath.Join(restoring, "exec"), Kind[ExecRestore]{About: ExecRestore.about, Check: checkExecRestore})
}

func (r ExecRestore) about() string {
	return fmt.Sprintf("sandbox %q of gateway %q", sandboxname.Address(r.Workspace, r.Sandbox), r.Gateway)
}

// Key is the name of the sandbox's record.
func (r ExecRestore) Key() string { return SandboxKey(r.Gateway, r.Workspace, r.Sandbox) }

// SandboxKey names the record of a sandbox. The workspace "default" is that of versions that knew none.
func SandboxKey(gateway, workspace, name string) string {
	if workspace == "" || workspace == "default" {
		return Key(gateway, name)
	}
	return Key(gateway, name, workspace)
}

// checkExecRestore: what the record names is removed and moved about in a sandbox, so it must be what a restore made.
func checkExecRestore(key string, r ExecRestore) error {
	if r.Key() != key {
		return errors.New("it speaks of another sandbox than its name")
	}
	if !path.IsAbs(r.Home) || path.Clean(r.Home) != r.Home || path.Dir(r.Stage) != r.Home || !strings.HasPrefix(path.Base(r.Stage), StagePrefix) {
		return fmt.Errorf("sandbox %q: it names a stage that no restore made: %q", r.Sandbox, r.Stage)
	}
	if !slices.Contains([]ExecStep{ExecStaging, ExecSwapping, ExecConfirmed}, r.Step) {
		return fmt.Errorf("sandbox %q: it has the unknown step %q", r.Sandbox, r.Step)
	}
	for _, name := range slices.Concat(r.Names, r.Carry) {
		if path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) {
			return fmt.Errorf("sandbox %q: %q is no name in its home", r.Sandbox, name)
		}
	}

	return nil
}
