package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/home"
	"sandkeeper/internal/journal"
)

// volumeMove exchanges a home that is a volume. Its folder is the mount and cannot change places, but its entries can,
// while the container is stopped: all old ones are moved into the stage, which lies in the volume, then all new ones
// out of it. The names of the stage's folders say how far that is, so that whoever finds it half done can take it back.
type volumeMove struct {
	plan   journal.Exchange
	rename func(from, to string) error // replaces nothing
}

const (
	volumeNew    = "new"    // becomes old once it has the owner and the mode of the home
	volumeOld    = "old"    // entries of the old home, while they are moved out
	volumeMoved  = "moved"  // all of them
	volumePlaced = "placed" // what the new home was in: all of it is in its place
)

var errHalfMoved = errors.New("a part of the home from before is in it")

// turnVolume lets the entries change places, or back. What fails before the last step is taken back.
func (x *exchange) turnVolume() error {
	move := volumeMove{x.plan, x.rename}
	if move.rename == nil {
		move.rename = noReplace
	}
	var err, undone error
	if x.done {
		undone = move.back()
	} else if err = move.place(); err != nil {
		undone = move.back()
	}

	if undone != nil {
		x.done, x.lost, x.half = true, true, true
		return errors.Join(err, fmt.Errorf("what was there before is not all back from %s: %w", x.plan.Stage, undone))
	}
	if err != nil {
		return err
	}
	x.done = !x.done
	folders := []string{x.plan.Volume, x.plan.Stage}
	if x.done { // the old entries are durable where they are before they are durably gone from where they were
		folders = append([]string{staged(x.plan, volumeMoved)}, folders...)
	}
	return x.syncAll(folders...)
}

func (x *exchange) syncAll(names ...string) error {
	sync := x.sync
	if sync == nil {
		sync = (*os.File).Sync
	}
	var problems []error
	for _, name := range names {
		folder, err := os.Open(name)
		if err != nil {
			return err
		}
		problems = append(problems, sync(folder), folder.Close())
	}

	return errors.Join(problems...)
}

func (v volumeMove) at(name string) string { return staged(v.plan, name) }

// place moves the old entries out and the new ones in.
func (v volumeMove) place() error {
	for _, step := range []func() error{
		func() error { return os.Mkdir(v.at(volumeNew), 0o700) },
		func() error { return dressAs(v.plan.Volume, v.at(volumeNew)) },
		func() error { return v.rename(v.at(volumeNew), v.at(volumeOld)) },
		func() error { return v.moveAll(v.plan.Volume, v.at(volumeOld)) },
		func() error { return v.rename(v.at(volumeOld), v.at(volumeMoved)) },
		func() error { return v.moveAll(v.at(stagedHome), v.plan.Volume) },
		func() error { return dressAs(v.at(stagedHome), v.plan.Volume) },
		func() error { return v.rename(v.at(stagedHome), v.at(volumePlaced)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("exchanging the homes in the volume: %w", err)
		}
	}
	return nil
}

// back puts the old home in its place again, from whatever state an exchange was left in. Done again it goes on where
// it ended.
func (v volumeMove) back() error {
	moved, err := isThere(v.at(volumeMoved))
	if err != nil {
		return err
	}
	if moved {
		if err := v.rename(v.at(volumePlaced), v.at(stagedHome)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := v.moveAll(v.plan.Volume, v.at(stagedHome)); err != nil {
			return err
		}
		if err := v.rename(v.at(volumeMoved), v.at(volumeOld)); err != nil {
			return err
		}
	}

	old, err := isThere(v.at(volumeOld))
	if err != nil || !old {
		return err
	}
	if err := v.moveAll(v.at(volumeOld), v.plan.Volume); err != nil {
		return err
	}
	if err := dressAs(v.at(volumeOld), v.plan.Volume); err != nil {
		return err
	}
	return os.Remove(v.at(volumeOld))
}

// moveAll moves every entry of a folder, but for the stage.
func (v volumeMove) moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if from == v.plan.Volume && e.Name() == filepath.Base(v.plan.Stage) {
			continue
		}
		if err := v.rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// noReplace renames where nothing is in the way.
func noReplace(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// dressAs gives a folder the owner and the mode of another one.
func dressAs(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return &os.PathError{Op: "stat", Path: from, Err: err}
	}
	return errors.Join(unix.Lchown(to, int(st.Uid), int(st.Gid)), unix.Chmod(to, st.Mode&0o7777))
}

func isThere(name string) (bool, error) {
	inode, err := inodeOf(name)
	return inode != 0, err
}

// volumeExchanged reports whether all new entries are in their place, and whether only some are where they belong.
func volumeExchanged(plan journal.Exchange) (made, half bool, err error) {
	if made, err = isThere(staged(plan, volumePlaced)); made || err != nil {
		return made, false, err
	}
	moved, err := isThere(staged(plan, volumeMoved))
	if moved || err != nil {
		return false, moved, err
	}
	half, err = isThere(staged(plan, volumeOld))
	return false, half, err
}

func healVolume(plan journal.Exchange) error { return volumeMove{plan, noReplace}.back() }

// openVolumeExchanged opens the old home, which an exchange in a volume took away; nil when nothing was in it, or it is
// being removed.
func openVolumeExchanged(plan journal.Exchange) (*home.DirectHome, error) {
	folder, err := os.OpenFile(staged(plan, volumeMoved), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unlessEmpty(&home.DirectHome{Folder: folder})
}
