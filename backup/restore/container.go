package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/text"
)

// bringBackLimit bounds what is done after ctx has ended: putting the old content back, and starting the container.
const bringBackLimit = 10 * time.Minute

// containerPlace restores into a container through the engine's archive API. That API can only write, neither rename
// nor remove; but an entry that is no folder replaces a whole folder of its name. A folder is therefore replaced by an
// empty file, and that by the folder from the backup, in one stream: nothing of the old content stays, and nothing is
// written through an old link.
//
// The container is stopped meanwhile, so that nobody sees the home half done, and started afterwards if it ran.
type containerPlace struct{ home.ContainerHome }

func (p *containerPlace) run(ctx context.Context, j *restoreJob) (err error) {
	c, err := p.ready(ctx, j)
	if err != nil {
		return err
	}
	mark, err := j.mark(ctx, c, p.Engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mark.end()) }()
	if j.direct != nil {
		err := errHalfDone
		if !mark.resumed {
			err = j.direct.run(ctx, j, c, mark)
		}
		if !errors.Is(err, errNoExchange) {
			return err
		}
		j.throughEngine(err)
		if err := errors.Join(p.suits(ctx, j, c), j.verifyEntries(ctx)); err != nil {
			return err
		}
	}

	if mark.entry.Running {
		j.meter.Enter(home.StageStopping)
		mark.stopped = true
		defer func() { err = errors.Join(err, p.start(ctx, j, c, mark)) }()
		if err := p.stop(ctx, j, c, mark); err != nil {
			return err
		}
	}

	old, err := p.before(ctx, j, c, mark)
	if err != nil {
		return err
	}
	return p.swap(ctx, j, old, mark)
}

// ready refuses containers that a restore would harm.
func (p *containerPlace) ready(ctx context.Context, j *restoreJob) (engine.Container, error) {
	c, err := p.Engine.Inspect(ctx, p.ID)
	if err != nil {
		return c, err
	}
	if c.Paused() {
		return c, fmt.Errorf("container %q is paused; run \"%s unpause %s\" first", c.Name, c.Program(), c.Name)
	}
	if c.AutoRemove {
		return c, fmt.Errorf("container %q was made with --rm: a restore has to stop it, and then the engine removes it and all that is in it; make a sandbox anew and restore into that with --to", c.Name)
	}
	if c.Running() && c.Paired() && j.through() == nil {
		return c, fmt.Errorf("container %q is one of two that OpenShell 0.1 runs a sandbox in: only its gateway stops and starts both; nothing was stopped or changed: "+
			"run %q first, and %q after the restore", c.Name, j.Target.Invocation("stop"), j.Target.Invocation("start"))
	}
	if err := p.replaceable(ctx, c); err != nil {
		return c, err
	}
	if j.direct == nil {
		err = p.suits(ctx, j, c)
	}
	return c, err
}

// suits refuses what the engine's way could not write, and goes around mounts.
func (p *containerPlace) suits(ctx context.Context, j *restoreJob, c engine.Container) error {
	if c.ReadOnly {
		return fmt.Errorf("container %q has a read-only root file system, into which no engine writes; nothing was stopped or changed: make a sandbox anew and restore into that with --to", c.Name)
	}
	if err := p.writable(j); err != nil {
		return err
	}
	if err := home.ReadableStopped(ctx, p.Engine, c, p.Dir); err != nil {
		return fmt.Errorf("the home in container %q could not be kept before it is replaced, so nothing was stopped or changed: %w", c.Name, err)
	}
	if err := p.avoidMounts(ctx, j.pick, c.Mounts, j.manifest); err != nil {
		return err
	}
	if err := p.roomy(ctx, j, c); err != nil {
		return err
	}
	return p.parents(ctx, j.pick)
}

// roomSeer is an engine whose disk can be looked at; *engine.Engine is one.
type roomSeer interface {
	RoomToReplace(ctx context.Context, id string, bytes int64) error
}

// roomy refuses what cannot have room on the engine's disk. Of a home that is a mount the disk is not known.
func (p *containerPlace) roomy(ctx context.Context, j *restoreJob, c engine.Container) error {
	seer, ok := p.Engine.(roomSeer)
	if !ok || j.pick.mounted {
		return nil
	}
	need, err := j.pick.bytes(j.manifest)
	if err != nil {
		return err
	}
	if err := seer.RoomToReplace(ctx, p.ID, need); errors.Is(err, engine.ErrNoRoom) {
		return fmt.Errorf("the container engine's disk has no room for the home in the backup, so nothing was stopped or changed: %w; \"%s system df\" says what is on it", err, c.Program())
	}
	return nil
}

// pathMax is how long a path may be that a program hands to the kernel as a whole (PATH_MAX of linux/limits.h, without
// the NUL).
const pathMax = 4095

// writable refuses what no engine can write.
func (p *containerPlace) writable(j *restoreJob) error {
	var err error
	for e := range j.manifest.Index.All(&err) {
		if len(p.Dir)+1+len(e.Path) > pathMax {
			return fmt.Errorf("the backup has paths of more than %d bytes (%.40q…), which no container engine can write; nothing was changed: restore it as root on the engine's own host",
				pathMax, e.Path)
		}
	}
	return err
}

// replaceable refuses a home with entries that chattr has locked, before anything is stopped: writing over them would
// end half way.
func (p *containerPlace) replaceable(ctx context.Context, c engine.Container) error {
	layered, ok := p.Engine.(home.Layered)
	if !ok {
		return nil
	}
	layer, err := layered.Layer(ctx, p.ID)
	if err != nil {
		return nil //nolint:nilerr // the engine's own host knows, and we are not on it
	}
	if locked := layer.Locked(ctx, p.Dir); len(locked) > 0 {
		return fmt.Errorf("chattr has locked files in the home in container %q, which no restore could replace; nothing was stopped or changed: run \"chattr -i -a %s\" first",
			c.Name, strings.Join(locked, " "))
	}
	return nil
}

func (p *containerPlace) stop(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) error {
	if !c.Running() { // stopped by a restore that was killed
		return nil
	}
	// A stop that was asked for comes about, whoever gives up waiting for it: starting the container again before that
	// starts nothing.
	patient, cancel := text.Within(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	return errors.Join(p.halt(patient, j, mark), context.Cause(ctx))
}

// before keeps what is there now, twice: a complete copy for the way back, and an ordinary backup for later.
func (p *containerPlace) before(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) (*oldHome, error) {
	if mark.resumed {
		j.summary.Previous = mark.entry.Previous
		old, err := j.reopen(ctx, mark.entry.Copy)
		if err == nil && old.entries > 0 {
			err = j.verifyEntries(ctx)
		}
		return old, err
	}

	old, err := j.keep(ctx, p, mark)
	if err != nil {
		return nil, err
	}
	if old.entries > 0 { // which it may not have had when the backup was verified
		err = j.verifyEntries(ctx)
	}
	if err == nil && old.entries > 0 {
		err = j.saveOld(ctx, old, c)
	}
	if err == nil {
		err = mark.writing(j.summary.Previous)
	}
	if err != nil {
		return nil, errors.Join(err, old.remove())
	}
	return old, nil
}

// swap replaces the home, and puts the old one back when that does not succeed.
func (p *containerPlace) swap(ctx context.Context, j *restoreJob, old *oldHome, mark *restoreMark) error {
	err := p.replace(ctx, j, old)
	if err == nil {
		j.summary.Done = true
		j.told()
		return errors.Join(mark.whole(), old.remove())
	}

	if undone := p.undo(ctx, j, old); undone != nil {
		return &NotPutBackError{File: old.file, Err: err, Undone: undone}
	}
	return errors.Join(fmt.Errorf("%w; %w", err, ErrPutBack), mark.whole(), old.remove())
}

// NotPutBackError is a restore that did not succeed, and could not be undone either: what was there before is in File.
type NotPutBackError struct {
	File        string
	Err, Undone error // why the restore failed, and why putting the old content back did
}

// Error names the file.
func (e *NotPutBackError) Error() string {
	return fmt.Sprintf("%v; what was there before could not be put back and is in %s: %v", e.Err, e.File, e.Undone)
}

// Unwrap gives both causes.
func (e *NotPutBackError) Unwrap() []error { return []error{e.Err, e.Undone} }

// start brings the container back, unless its home is half done: an agent that starts on that makes it worse.
func (p *containerPlace) start(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) error {
	if mark.entry.Writing {
		return fmt.Errorf("container %q was left stopped", c.Name)
	}
	ctx, cancel := text.Within(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	j.meter.Enter(home.StageStarting)
	if err := p.rouse(ctx, j, c, mark); err != nil {
		return fmt.Errorf("container %q ran before and could not be started again: %w", c.Name, err)
	}
	mark.stopped = false
	return nil
}

// replace writes the selected content and reads it back.
func (p *containerPlace) replace(ctx context.Context, j *restoreJob, old *oldHome) error {
	j.meter.Enter(home.StageWriting)
	pack := newPacker(path.Base(p.Dir), j.pick, old.owner)
	pack.nobody = j.manifest.Snapshot()
	err := p.write(ctx, j, func(ctx context.Context) error { return pack.backup(ctx, j, old) }, pack)
	if err != nil {
		return err
	}
	j.meter.Enter(home.StageVerifying)
	return p.confirmNew(ctx, j, pack.then)
}

// undo puts the old content back, also after ctx has ended.
func (p *containerPlace) undo(ctx context.Context, j *restoreJob, old *oldHome) error {
	ctx, cancel := text.Within(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	j.meter.Enter(home.StageUndoing)
	pack := newPacker(path.Base(p.Dir), j.pick, owner{})
	if err := p.write(ctx, j, func(ctx context.Context) error { return pack.old(ctx, old) }, pack); err != nil {
		return err
	}
	for _, root := range j.pick.roots {
		if _, had := old.roots[root]; !had && root != "." {
			j.summary.Warnings = append(j.summary.Warnings, fmt.Sprintf("%s was not there before and may be left over", root))
		}
	}

	return j.confirmOld(ctx, p, pack.then)
}

// avoidMounts selects what lies beside the mounts in the home. A home that is itself a mount (the podman driver's
// volume) holds itself.
func (p *containerPlace) avoidMounts(ctx context.Context, pick *selection, mounts []engine.Mount, m *archive.Manifest) error {
	located, err := p.Located(ctx, mounts)
	if err != nil {
		return err
	}
	pick.mounts = nil
	for _, mount := range located {
		if mount.Destination == p.Dir {
			pick.mounted = true
		} else if name, is := strings.CutPrefix(mount.Destination, p.Dir+"/"); is {
			pick.mounts = append(pick.mounts, name)
		}
	}

	return pick.around(m)
}

// parents looks at the folders above each root. Those that are missing are restored as well; a link among them is
// refused, for the write would follow it.
func (p *containerPlace) parents(ctx context.Context, pick *selection) error {
	pick.above = map[string]bool{}
	for _, root := range pick.roots {
		for at := parent(root); at != "." && root != "."; at = parent(at) {
			full := path.Join(p.Dir, at)
			fact, err := p.Engine.Stat(ctx, p.ID, full)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				pick.above[at] = true
			case err != nil:
				return fmt.Errorf("looking at %s: %w", full, err)
			case fact.Mode&fs.ModeSymlink != 0:
				return fmt.Errorf("%s is a symbolic link to %q, which is not followed", full, fact.Link)
			case !fact.Mode.IsDir():
				return fmt.Errorf("%s is not a folder", full)
			}
		}
	}
	return nil
}

func parent(name string) string { return path.Dir(name) }
