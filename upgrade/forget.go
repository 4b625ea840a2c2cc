package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// ForgottenName is the folder, in sandkeeper's state folder, of the records of upgrades that were given up.
const ForgottenName = "upgrading-forgotten"

// Leftover is something that an upgrade which was given up leaves behind. Nothing of it is removed.
type Leftover struct {
	Kind   string `json:"kind"` // backup, image, container, log, sandbox
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
	if e.Rehearsal != nil {
		throwaway := sandbox.Sandbox{Name: e.Rehearsal.Sandbox, Workspace: e.Workspace, Gateway: e.Gateway}
		left = append(left, Leftover{"sandbox", throwaway.Name, "throw-away, of its rehearsal, where its gateway has it still: " + throwaway.Invocation("delete")})
	}
	return slices.Concat(left, e.images(ctx, eng), e.containers(ctx, eng))
}

// images are the rollback image and that of a rehearsal, or what a run that was killed while it made one has left.
func (e *Entry) images(ctx context.Context, eng Looker) (left []Leftover) {
	kinds := []struct{ ref, is string }{{e.RollbackImage, "holds the file system of the old sandbox"}}
	if e.Rehearsal != nil {
		kinds = append(kinds, struct{ ref, is string }{e.Rehearsal.Image, "throw-away, of its rehearsal"})
	}

	for _, k := range kinds {
		switch {
		case k.ref == "":
		case eng == nil:
			left = append(left, Leftover{"image", k.ref, "whether it is there is not known: its container engine does not answer"})
		default:
			left = append(left, image(ctx, eng, k.ref, k.is)...)
			left = append(left, image(ctx, eng, engine.Unfinished(k.ref), k.is+"; its run was killed while it made it")...)
		}
	}

	return left
}

func image(ctx context.Context, eng Looker, ref, is string) []Leftover {
	_, err := eng.ImageID(ctx, ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		is = fmt.Sprintf("whether it is there is not known: %v", err)
	}
	return []Leftover{{"image", ref, is}}
}

// containers are the old sandbox's, and those that carry the id of a sandbox that the upgrade has made.
func (e *Entry) containers(ctx context.Context, eng Looker) (left []Leftover) {
	if eng == nil {
		return nil
	}
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
