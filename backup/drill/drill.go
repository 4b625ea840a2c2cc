// Package drill answers one question: would this backup bring the sandbox back, and how long would that take? It
// restores a backup into a throw-away container of the recorded image that reaches nothing, compares, runs a check in
// it, and takes the container away again.
package drill

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

// Options are what drills need. Store, Engines and Journal must be there.
type Options struct {
	Store      *store.Store
	Engines    []*engine.Engine // the first that has the image is taken
	Identities archive.Identities
	Journal    string // folder of the records of containers that are drilled in (Dir)
	// Check is the command that must end well in the restored home; none runs none.
	Check      func(*archive.Manifest) []string
	CheckLimit time.Duration
	Progress   func(home.Event)
	// Bring gives a backup with its content on this host, where it has to come from elsewhere first; nil: it is here.
	Bring func(context.Context, store.Backup) (store.Backup, error)
}

// Outcome is how one backup came out.
type Outcome struct {
	Sandbox   string `json:"sandbox"`
	Workspace string `json:"workspace"`
	Gateway   string `json:"gateway"`
	Backup    string `json:"backup"`
	Image     string `json:"image"`
	OK        bool   `json:"ok"`
	Reason    string `json:"reason"` // why not
	Check     string `json:"check"`  // the command that was run; "" when none was
	Said      string `json:"said"`   // the last lines of what it printed
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	TookMs    int64  `json:"tookMs"` // from nothing to a home that was read back and tried

	Err error `json:"-"`
}

// cleanUpLimit bounds taking the container away, also after ctx has ended.
const cleanUpLimit = 2 * time.Minute

// One drills one backup.
func One(ctx context.Context, o Options, b store.Backup) (out Outcome) {
	of := b.Series()
	out = Outcome{Sandbox: of.Name, Workspace: of.Workspace, Gateway: of.Gateway, Backup: b.ID}
	start := time.Now()
	err := b.Damage
	if err == nil {
		out.Image = b.Manifest.Image.Reference
		if o.Bring != nil {
			b, err = o.Bring(ctx, b)
		}
	}

	if err == nil {
		err = o.drill(ctx, b, &out)
	}
	took := time.Since(start)
	out.TookMs = took.Milliseconds()
	if err == nil {
		err = errors.Join(o.Store.MarkVerified(b, true), o.Store.MarkDrilled(b, took, out.Check))
	}
	if err != nil {
		out.Reason, out.Err = err.Error(), err
	}
	out.OK = err == nil
	return out
}

func (o Options) drill(ctx context.Context, b store.Backup, out *Outcome) (err error) {
	e, image, err := o.engineWith(ctx, b.Manifest.Image)
	if err != nil {
		return err
	}
	var check []string
	if o.Check != nil {
		check = o.Check(b.Manifest)
	}
	out.Check = strings.TrimPrefix(strings.Join(check, " "), "/bin/sh -c ")
	made, err := o.make(ctx, e, engine.Apart{Image: image, Command: check, Workdir: b.Manifest.Home, Env: []string{"HOME=" + b.Manifest.Home}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, made.remove(ctx, e)) }()

	if err := emptyHome(ctx, e, made.id, b.Manifest.Home); err != nil {
		return err
	}
	c, err := e.Inspect(ctx, made.id)
	if err != nil {
		return err
	}
	summary, err := o.restore(ctx, b, e, c)
	out.Files, out.Bytes = summary.Files, summary.Bytes
	if err != nil || len(check) == 0 {
		return err
	}
	out.Said, err = o.try(ctx, e, made.id, out.Check)
	return err
}

// restore puts the backup into the container.
func (o Options) restore(ctx context.Context, b store.Backup, e *engine.Engine, c engine.Container) (s restore.Summary, err error) {
	keep, done, err := o.keepApart()
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, done()) }()
	of := b.Series()
	return restore.Restore(ctx, restore.Request{
		Store: o.Store, Backup: b, Identities: o.Identities, Engine: e, Consent: true, Progress: o.Progress, Keep: keep,
		Target: sandbox.Sandbox{Name: of.Name, Workspace: of.Workspace, Container: &c, WorkspaceRoot: b.Manifest.Home, Standing: sandbox.Stopped, Route: sandbox.ByContainer},
	})
}

// keepApart is where the restore keeps what it replaces, which is an empty home. A copy that a killed drill left among
// the backups would pass for that of a sandbox. The next drill removes the folder of a killed one.
func (o Options) keepApart() (keep *store.Store, done func() error, err error) {
	dir, err := disk.NewScratch(o.Store.Root(), "."+namePrefix)
	if err != nil {
		return nil, nil, err
	}
	keep, err = store.Open(dir.Dir, store.Options{UID: os.Geteuid()})
	if err != nil {
		return nil, nil, errors.Join(err, dir.Remove())
	}
	return keep, dir.Remove, nil
}

// try runs the check in the restored home and gives the last lines of what it printed.
func (o Options) try(ctx context.Context, e *engine.Engine, id, check string) (said string, err error) {
	limit := text.As(context.DeadlineExceeded, "%q in the restored home did not end within %s", check, o.CheckLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, o.CheckLimit, limit)
	defer cancel()
	exit, said, err := e.RunApart(ctx, id, o.CheckLimit)
	if err == nil && exit != 0 {
		err = fmt.Errorf("%q in the restored home ended with exit status %d: %s", check, exit, said)
	}
	return said, err
}

// engineWith finds the image that the sandbox ran from: by its id, so that it is that very one, else by its name.
func (o Options) engineWith(ctx context.Context, image archive.Image) (*engine.Engine, string, error) {
	for _, ref := range []string{image.Digest, image.Reference} {
		for _, e := range o.Engines {
			if ref == "" {
				continue
			}
			_, err := e.ImageID(ctx, ref)
			if err == nil {
				return e, ref, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, "", err
			}
		}
	}
	return nil, "", fmt.Errorf("its image %q is not on this host: neither a drill nor a restore could be done here without it", image.Reference)
}

// emptyHome makes the home, without what the image has in it: an entry that is no folder replaces a whole folder of its
// name.
func emptyHome(ctx context.Context, e *engine.Engine, id, dir string) error {
	var above []string
	for at := path.Dir(dir); at != "/"; at = path.Dir(at) {
		_, err := e.Stat(ctx, id, at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		above = append([]string{at}, above...)
	}

	var folders bytes.Buffer
	w := tar.NewWriter(&folders)
	var problems error
	for _, folder := range above {
		problems = errors.Join(problems, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(folder, "/") + "/", Mode: 0o755}))
	}
	name := strings.TrimPrefix(dir, "/")
	problems = errors.Join(problems,
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}),
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}), w.Close())
	if problems != nil {
		return problems
	}
	if err := e.Write(ctx, id, "/", &folders); err != nil {
		return fmt.Errorf("making an empty home at %s: %w", dir, err)
	}
	return nil
}

// Dir is the folder of the records of drills, below a state folder such as $XDG_STATE_HOME.
func Dir(stateHome string) string { return path.Join(stateHome, "sandkeeper", "drills") }

// record is what is known of a container that is drilled in: enough to take it away without the run that made it.
type record struct {
	Name   string    `json:"name"` // of the container
	Engine string    `json:"engine"`
	At     time.Time `json:"at"`
}

const (
	namePrefix = "sandkeeper-drill-"
	labelDrill = "sandkeeper.drill" // holds the key of the record
)

func shelf(dir string) journal.Shelf[record] {
	return journal.NewShelf(dir, journal.Kind[record]{
		About: func(r record) string { return fmt.Sprintf("drill in container %q", r.Name) },
		Check: func(key string, r record) error {
			if !strings.HasPrefix(r.Name, namePrefix) || journal.Key(r.Name) != key {
				return fmt.Errorf("it names a container that no drill made: %q", r.Name)
			}
			return nil
		},
	})
}
