package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
)

// ForgottenName is the folder, in sandkeeper's state folder, of the records of upgrades that were given up.
const ForgottenName = "upgrading-forgotten"

// Leftover is something that an upgrade which was given up leaves behind. Nothing of it is removed.
type Leftover struct {
	Kind   string `json:"kind"` // backup, image, container, log
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// Looker is what forgetting needs of the container engine, to name what is there.
type Looker interface {
	ImageID(ctx context.Context, ref string) (string, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Sandboxes(ctx context.Context) ([]engine.Container, error)
}

// Leftovers names what an upgrade leaves behind: from the journal, and as far as an engine answers, as it is now. eng
// may be nil.
func (e *Entry) Leftovers(ctx context.Context, eng Looker) []Leftover {
	var left []Leftover
	if e.Backup != "" {
		left = append(left, Leftover{"backup", e.Backup, "holds its home as it was when it was stopped; in " + e.BackupRoot})
	}
	if e.Log != "" {
		left = append(left, Leftover{"log", e.Log, "what nemoclaw printed"})
	}
	if eng == nil {
		return append(left, Leftover{"image", e.RollbackImage, "whether it is there is not known: no container engine answers"})
	}
	if _, err := eng.ImageID(ctx, e.RollbackImage); !errors.Is(err, fs.ErrNotExist) {
		detail := "holds the file system of the old sandbox"
		if err != nil {
			detail = fmt.Sprintf("whether it is there is not known: %v", err)
		}
		left = append(left, Leftover{"image", e.RollbackImage, detail})
	}

	return append(left, e.containers(ctx, eng)...)
}

// containers are the old sandbox's, and those that carry the id of a sandbox that the upgrade has made.
func (e *Entry) containers(ctx context.Context, eng Looker) (left []Leftover) {
	old, err := eng.Inspect(ctx, e.OldContainer)
	if err == nil {
		left = append(left, Leftover{"container", old.Name, "of the old sandbox, " + old.State})
	}
	all, err := eng.Sandboxes(ctx)
	if err != nil {
		return append(left, Leftover{"container", e.ContainerName, fmt.Sprintf("which containers are there is not known: %v", err)})
	}
	for _, c := range all {
		if c.ID != old.ID && c.SandboxID != "" && c.SandboxID == e.NewID {
			left = append(left, Leftover{"container", c.Name, "of the sandbox that this upgrade has made, " + c.State})
		}
	}

	return left
}

// Forget gives an upgrade up: it is struck off the journal in dir, and its record kept beside it, at path. The error
// wraps ErrJournalBusy while another process is at work on it.
func (p *Pending) Forget(dir, run string) (path string, err error) {
	path = filepath.Join(dir, ForgottenName, run+"-"+p.Key[:12]+".json")
	err = upgrades(dir).SetAside(p.Key, path)
	if _, held := errors.AsType[*journal.HeldError](err); held {
		return "", fmt.Errorf("sandbox %q: %w: %w", p.Address(), ErrJournalBusy, err)
	}
	return path, err
}

// MayBeEmpty reports whether what is there under the sandbox's name may have its home half done.
func (e *Entry) MayBeEmpty() bool { return e.DeleteRequested && !e.homeIsWhole() }
