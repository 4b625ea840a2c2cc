package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
	"sandkeeper/survey"
)

// Source is what an import makes sandboxes from on this host: their backups, and the old containers that must not run
// beside them.
type Source struct {
	Host       *survey.Host
	Store      *store.Store
	Identities archive.Identities
	Elsewhere  bool // the old containers are on another host, and somebody has seen that they do not run
}

// Prepare reads what a member is made from, and proves its home to the last byte before anything is made for it.
func (s Source) Prepare(ctx context.Context, m Member) (recreate.Order, error) {
	order := recreate.Order{Store: s.Store, Identities: s.Identities}
	var err error
	if order.Backup, err = s.Store.Find(m.Name, m.Backup); err != nil {
		return order, err
	}
	if err := s.Store.Prove(ctx, order.Backup, s.Identities); err != nil {
		return order, err
	}
	order.Recipe, err = s.recipe(m)
	return order, err
}

// recipe is the member's own; where no gateway ever told it, image and labels are all that is known.
func (s Source) recipe(m Member) (driver.Recipe, error) {
	if m.RecipeIn == "" {
		spec, err := openshell.Changes{Image: m.Image}.Apply(nil)
		return driver.Recipe{Image: m.Image, Spec: spec, Labels: m.Labels}, err
	}
	b, err := s.Store.Find(m.Name, m.RecipeIn)
	if err != nil {
		return driver.Recipe{}, fmt.Errorf("its recipe: %w", err)
	}
	text, err := s.Store.Recipe(b, s.Identities)
	if err != nil {
		return driver.Recipe{}, fmt.Errorf("its recipe: %w", err)
	}
	return driver.ReadRecipe(text)
}

// StillRuns says why the old container of a member may run, or may hold more than its backup. One that is gone does
// not; of one on another engine nothing is known.
func (s Source) StillRuns(ctx context.Context, m Member) error {
	if m.Container == "" || s.Elsewhere {
		return nil
	}
	on := s.engineOf(ctx, m.Engine)
	if on == nil {
		return fmt.Errorf("the container engine that has its old container %q does not answer on this host, so whether that runs cannot be seen", m.ContainerName)
	}
	c, err := on.Inspect(ctx, m.Container)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case c.Running() || c.Paused():
		return fmt.Errorf("its old container %q is %s", c.Name, c.State)
	case !c.Started.Equal(m.Started):
		return fmt.Errorf("its old container %q: %w", c.Name, ErrStartedSince)
	}

	return nil
}

func (s Source) engineOf(ctx context.Context, identity string) *engine.Engine {
	for _, on := range s.Host.Engines(ctx).All() {
		if id, err := on.Identity(ctx); err == nil && id == identity {
			return on
		}
	}
	return nil
}
