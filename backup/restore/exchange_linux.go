package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/home"
	"sandkeeper/backup/tree"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/journal"
)

// exchangeable says whether the home can be replaced by an exchange, and what speaks against it. Nothing is changed by
// the question.
func (p *containerPlace) exchangeable(ctx context.Context, j *restoreJob) (*exchange, error) {
	if has, err := j.manifest.Index.Has("."); err != nil || !has || !j.pick.whole() {
		return nil, errors.New("only a whole home is exchanged")
	}
	direct, err := p.DirectLayers(ctx)
	if err != nil {
		return nil, err
	}
	defer direct.Close()
	plan := journal.Exchange{Upper: filepath.Clean(direct.At.Upper), Lower: direct.At.Lower, Mounts: direct.Below, Volume: direct.Volume}
	x := &exchange{containerPlace: p, at: direct.At, plan: plan}
	if err := x.suits(); err != nil {
		return nil, err
	}
	j.pick.mounts = plan.Mounts
	var st unix.Stat_t
	if err := unix.Fstat(int(direct.Folder.Fd()), &st); err != nil {
		return nil, err
	}
	x.owner = owner{int(st.Uid), int(st.Gid)}
	x.wants, err = j.ownEntries(direct.Folder)
	return x, err
}

// suits looks at the container and its layers.
func (x *exchange) suits() error {
	if x.at.ReadOnly {
		return errors.New("the container's root file system is read-only")
	}
	if err := home.PlainLayers(x.at); err != nil {
		return err
	}
	if x.plan.Volume != "" {
		if len(x.plan.Mounts) > 0 {
			return errors.New("the home is a volume with mounts in it")
		}
		return nil
	}

	parent, err := x.parent()
	if err != nil {
		return fmt.Errorf("the folder above the home in the writable layer: %w", err)
	}
	defer parent.Close()
	own, err := x.own(parent)
	if err != nil || !own {
		return err
	}
	folder, err := parent.OpenRoot(path.Base(x.Dir))
	if err != nil {
		return err
	}
	defer folder.Close()
	return plainTree(folder)
}

// own reports whether the writable layer has a folder for the home.
func (x *exchange) own(parent *os.Root) (bool, error) {
	info, err := parent.Lstat(path.Base(x.Dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && !info.IsDir():
		return false, errors.New("the home is no folder of the writable layer")
	}
	return true, err
}

// prepare notes how the homes will change places, once nobody writes to the layer any more.
func (x *exchange) prepare() error {
	x.plan.At = time.Now().UTC()
	if x.plan.Volume != "" {
		return nil
	}
	parent, err := x.parent()
	if err != nil {
		return err
	}
	defer parent.Close()
	if x.plan.Own, err = x.own(parent); err != nil {
		return err
	}
	x.plan.Inode, err = inodeOf(staged(x.plan, stagedHome))
	return err
}

// parent opens the folder of the writable layer that the home is in.
func (x *exchange) parent() (*os.Root, error) {
	above := strings.Trim(path.Dir(x.Dir), "/")
	if above == "" {
		return os.OpenRoot(x.plan.Upper)
	}
	return openTree(x.plan.Upper, above)
}

// plainTree refuses a folder of a layer in which something stands for what lies elsewhere: it means that only at its
// place.
func plainTree(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	return tree.Look(folder, func(name string, kind fs.FileMode, here string) error {
		mark := overlayMetacopy
		switch {
		case kind.IsDir():
			mark = overlayRedirect
		case !kind.IsRegular():
			return nil
		}

		if _, err := unix.Lgetxattr(here, mark, nil); err == nil {
			return fmt.Errorf("%s in its layer stands for something elsewhere (%s)", name, mark)
		}
		return nil
	})
}

// ownEntries are the pipes, sockets and devices of a home, which no backup holds. What the backup holds only without
// its credentials is left as it is here.
func (j *restoreJob) ownEntries(folder *os.File) (names []string, err error) {
	err = tree.Look(folder, func(name string, kind fs.FileMode, _ string) error {
		j.notice(name)
		if kind&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0 {
			names = append(names, name)
		}
		return nil
	})
	j.stripped.leave()
	return names, err
}

// Names in the stage.
const (
	stagedHome = "home"  // the new home; after the exchange, the old one
	stagedNone = "empty" // an overlay has two layers at least
	stagedTry  = "try"
	stagedGone = "gone" // what is being removed
)

func staged(plan journal.Exchange, name string) string { return filepath.Join(plan.Stage, name) }

// makeStage makes the stage and tries in it what the exchange needs of the file system. It wraps errNoExchange where
// that has it not.
func (x *exchange) makeStage() error {
	if err := os.Mkdir(x.plan.Stage, 0o700); err != nil {
		return fmt.Errorf("%w: %w", errNoExchange, err)
	}
	if x.plan.Volume != "" {
		return os.Mkdir(staged(x.plan, stagedHome), 0o755)
	}
	for _, name := range []string{stagedHome, stagedNone, stagedTry} {
		if err := os.Mkdir(staged(x.plan, name), 0o755); err != nil {
			return fmt.Errorf("%w: %w", errNoExchange, err)
		}
	}

	try := unix.Renameat2(unix.AT_FDCWD, staged(x.plan, stagedTry), unix.AT_FDCWD, staged(x.plan, stagedNone), unix.RENAME_EXCHANGE)
	mark := unix.Setxattr(staged(x.plan, stagedHome), overlayOpaque, []byte("y"), 0)
	if err := errors.Join(try, mark); err != nil {
		return fmt.Errorf("%w: %w", errNoExchange, err)
	}
	var stage, upper unix.Stat_t
	if err := errors.Join(unix.Stat(x.plan.Stage, &stage), unix.Stat(x.plan.Upper, &upper)); err != nil {
		return err
	}
	if stage.Dev != upper.Dev {
		return fmt.Errorf("%w: the writable layer is a file system of its own", errNoExchange)
	}
	return os.Remove(staged(x.plan, stagedTry))
}

// turn lets the two homes change places, in one step that the kernel makes whole or not at all, and makes that durable.
// Called again it puts everything back. Where the layer had no folder of its own for the home, the new one only goes
// there, or back. An error does not say that nothing was done: done does, for the disk may fail after the step.
func (x *exchange) turn() error {
	if x.plan.Volume != "" {
		return x.turnVolume()
	}
	parent, err := x.parent()
	if err != nil {
		return err
	}
	defer parent.Close()
	above, err := parent.Open(".")
	if err != nil {
		return err
	}
	defer above.Close()
	stage, err := os.Open(x.plan.Stage)
	if err != nil {
		return err
	}
	defer stage.Close()
	from, to, flags := staged(x.plan, stagedHome), path.Base(x.Dir), uint(unix.RENAME_EXCHANGE)
	if x.plan.Own {
		err = unix.Renameat2(unix.AT_FDCWD, from, int(above.Fd()), to, flags)
	} else if err = unix.Renameat2(unix.AT_FDCWD, from, int(above.Fd()), to, unix.RENAME_NOREPLACE); err == unix.ENOENT {
		err = unix.Renameat2(int(above.Fd()), to, unix.AT_FDCWD, from, unix.RENAME_NOREPLACE)
	}

	if err != nil {
		return fmt.Errorf("exchanging the homes: %w", err)
	}
	x.done = !x.done
	sync := x.sync
	if sync == nil {
		sync = (*os.File).Sync
	}
	return errors.Join(sync(above), sync(stage))
}

// exchanged reports whether the homes have changed places: the new one's folder, of which the inode was journalled, is
// in the layer, or another one has taken its place in the stage. The second holds also when the sandbox has moved its
// home away since.
func exchanged(plan journal.Exchange, dir string) (bool, error) {
	if plan.Volume != "" {
		made, _, err := volumeExchanged(plan)
		return made, err
	}
	if plan.Inode == 0 {
		return false, nil
	}
	placed, err := inodeOf(filepath.Join(plan.Upper, dir))
	if err != nil || placed == plan.Inode {
		return err == nil, err
	}
	waiting, err := inodeOf(staged(plan, stagedHome))
	return waiting != 0 && waiting != plan.Inode, err
}

// inodeOf is 0 where nothing is.
func inodeOf(name string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Lstat(name, &st)
	switch err {
	case nil:
		return st.Ino, nil
	case unix.ENOENT, unix.ENOTDIR:
		return 0, nil
	}
	return 0, &os.PathError{Op: "stat", Path: name, Err: err}
}

func unmounted(upper string) error { return home.Unmounted(upper) }

// removeStage removes all that a restore made beside the layer, or took out of it. A home that is half removed has
// another name before the first of it goes, and passes for no home.
func removeStage(plan journal.Exchange) error {
	if plan.Stage == "" {
		return nil
	}
	kept := stagedHome
	if plan.Volume != "" {
		kept = volumeMoved
		if _, half, err := volumeExchanged(plan); half || err != nil {
			return errors.Join(errHalfMoved, err)
		}
	}

	if err := disk.IgnoreMissing(os.Rename(staged(plan, kept), staged(plan, stagedGone))); err != nil {
		return err
	}
	return disk.IgnoreMissing(os.RemoveAll(plan.Stage))
}
