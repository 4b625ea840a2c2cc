package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
)

// KeepFunc gives save the store at root, locked, in which what a restore replaced is to be kept.
type KeepFunc func(root string, save func(*store.Store) error) error

// KeepLocked is a KeepFunc that opens stores by open, and locks them.
func KeepLocked(open func(root string) (*store.Store, error)) KeepFunc {
	return func(root string, save func(*store.Store) error) (err error) {
		into, err := open(root)
		if err != nil {
			return err
		}
		lock, err := into.Lock("restore")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Unlock()) }()
		return save(into)
	}
}

// finishExchange ends what a restore on the direct way left that was killed. The home is whole in any case. What was
// taken away by an exchange becomes the backup that the restore would have made of it; then the folder beside the layer
// goes. c is the container as it is now, started again if it ran. made reports whether the new home was in its place.
func finishExchange(ctx context.Context, e Restarter, c engine.Container, entry journal.Restore, keep KeepFunc) (made bool, err error) {
	plan := *entry.Exchange
	if err := ofContainer(ctx, e, c, plan); err != nil {
		return false, err
	}
	if _, err := os.Lstat(plan.Stage); errors.Is(err, os.ErrNotExist) {
		return false, nil // it had ended but for its record
	}
	if made, err = exchanged(plan, entry.Home); err != nil {
		return false, err
	}
	if made {
		if (c.Running() || c.Paused()) && !c.Started.After(plan.At) {
			return false, fmt.Errorf("container %q has run since before the exchange and may hold on to the old home; stop it first", c.Name)
		}
		err := keep(entry.Root, func(into *store.Store) error {
			_, err := saveExchanged(ctx, into, plan, entry.Home, home.NewMeter(entry.Sandbox, nil))
			return err
		})
		if err != nil {
			return false, fmt.Errorf("the home from before, in %s, is not yet a backup: %w", plan.Stage, err)
		}
	}

	return made, removeStage(plan)
}

// ofContainer refuses to touch folders that are not beside the writable layer of the container, as its engine names it
// now.
func ofContainer(ctx context.Context, e Restarter, c engine.Container, plan journal.Exchange) error {
	grounded, ok := e.(home.Grounded)
	if !ok {
		return errors.New("the engine does not say where it keeps its containers")
	}
	at, err := home.Ground(ctx, grounded, c.ID)
	if err != nil {
		return err
	}
	if at.Upper == "" || filepath.Clean(at.Upper) != plan.Upper {
		return fmt.Errorf("the writable layer of container %q is no longer %s", c.Name, plan.Upper)
	}
	if plan.Volume != "" && !slices.ContainsFunc(at.Mounts, func(m engine.Mount) bool { return m.Source == plan.Volume }) {
		return fmt.Errorf("container %q no longer has the volume in %s", c.Name, plan.Volume)
	}
	if filepath.Dir(plan.Stage) != plan.Beside() {
		return fmt.Errorf("%s is not beside the home of container %q", plan.Stage, c.Name)
	}
	return nil
}

// mendVolume puts the old home back where a restore was killed while entries of a volume changed places: before the
// container is started.
func mendVolume(ctx context.Context, e Restarter, c engine.Container, entry journal.Restore) (bool, error) {
	if entry.Exchange == nil || entry.Exchange.Volume == "" {
		return false, nil
	}
	plan := *entry.Exchange
	if err := ofContainer(ctx, e, c, plan); err != nil {
		return false, err
	}
	_, half, err := volumeExchanged(plan)
	switch {
	case err != nil || !half:
		return false, err
	case c.Running() || c.Paused():
		return false, fmt.Errorf("container %q runs while a part of its home is in %s; stop it first", c.Name, plan.Stage)
	}

	err = healVolume(plan)
	return err == nil, err
}
