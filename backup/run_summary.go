package backup

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/gatewaystate"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/sandbox"
)

// Summary is the result of a run: the JSON of docs/design.md 4.2.
type Summary struct {
	Root      string    `json:"root"`
	DryRun    bool      `json:"dryRun,omitempty"`
	Totals    Totals    `json:"totals"`
	Sandboxes []Outcome `json:"sandboxes"`
	Warnings  []string  `json:"warnings,omitempty"`
	LookedAt  string    `json:"lookedAt,omitempty"` // the container engines, in words

	// GatewayState is what became of saving the gateway's own state; nil when that was not tried.
	GatewayState *gatewaystate.States `json:"gatewayState,omitempty"`
}

// Totals count sandboxes. BackedUp + Failed + Skipped + Orphaned is Total, always.
type Totals struct {
	Total      int `json:"total"`
	Registered int `json:"registered"`
	BackedUp   int `json:"backedUp"`
	Failed     int `json:"failed"`
	Skipped    int `json:"skipped"`
	Orphaned   int `json:"orphaned"`
	Planned    int `json:"planned,omitempty"` // of the skipped ones: a dry run would back them up
}

// Outcome is what became of one sandbox. Reason is empty only where there is nothing to explain.
type Outcome struct {
	Name        string              `json:"name"`
	Gateway     string              `json:"gateway,omitempty"`
	Workspace   string              `json:"workspace,omitempty"`
	Registered  bool                `json:"registered"`
	Status      store.Status        `json:"status"`
	Reason      string              `json:"reason"`
	Backup      *store.Saved        `json:"backup"`
	TookMs      int64               `json:"tookMs"`
	Route       string              `json:"route,omitempty"`
	Planned     bool                `json:"planned,omitempty"`     // a dry run: it would be backed up
	Unreachable bool                `json:"unreachable,omitempty"` // its gateway could not run a command in it
	Omitted     []archive.Exclusion `json:"omitted,omitempty"`
	Warnings    []string            `json:"warnings,omitempty"`

	err error
}

// Address is how people write the sandbox.
func (o Outcome) Address() string { return sandbox.Address(o.Workspace, o.Name) }

// Err is why the sandbox failed, with its type; nil for the others.
func (o Outcome) Err() error { return o.err }

func count(outcomes []Outcome) Totals {
	t := Totals{Total: len(outcomes)}
	for _, o := range outcomes {
		if o.Registered {
			t.Registered++
		}
		if o.Planned {
			t.Planned++
		}
		switch o.Status {
		case store.BackedUp:
			t.BackedUp++
		case store.Skipped:
			t.Skipped++
		case store.Orphaned:
			t.Orphaned++
		default: // nothing is ever counted as saved by omission
			t.Failed++
		}
	}
	return t
}

// UnknownSandboxError names a sandbox that was asked for and is not in the inventory.
type UnknownSandboxError struct {
	Name  string
	Known []string // the inventory's names
}

// Error names the sandbox, and what there is when that is short.
func (e *UnknownSandboxError) Error() string {
	if len(e.Known) == 0 || len(e.Known) > 10 {
		return fmt.Sprintf("there is no sandbox %q", e.Name)
	}
	return fmt.Sprintf("there is no sandbox %q, only %s", e.Name, strings.Join(quoteAll(e.Known), ", "))
}

// Is makes errors.Is(err, fs.ErrNotExist) true.
func (e *UnknownSandboxError) Is(target error) bool { return target == fs.ErrNotExist }

func quoteAll(names []string) []string {
	quoted := make([]string, 0, len(names))
	for _, name := range names {
		quoted = append(quoted, strconv.Quote(name))
	}
	return quoted
}

// NoRoomError says before anything is written that the backups of a run will not fit.
type NoRoomError struct {
	Sandboxes  int
	Need, Free int64 // bytes
	Dir        string
}

// Error names need and room.
func (e *NoRoomError) Error() string {
	return fmt.Sprintf("the backups of %s need about %s, and %s are free in %s", size.Count(e.Sandboxes, "sandbox", "sandboxes"), size.Text(e.Need), size.Text(e.Free), e.Dir)
}
