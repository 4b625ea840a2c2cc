package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/lifecycle"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
)

// prepare reads what a member is made from, and proves its home to the last byte before anything is made for it.
func (in importing) prepare(ctx context.Context, m migrate.Member) (recreate.Order, error) {
	order := recreate.Order{Store: in.store, Identities: in.identities}
	var err error
	if order.Backup, err = in.store.Find(m.Name, m.Backup); err != nil {
		return order, err
	}
	if _, err := in.store.VerifyWith(ctx, order.Backup, store.VerifyOptions{ReadData: true, Identities: in.identities}); err != nil {
		return order, err
	}
	order.Recipe, err = in.recipe(m)
	return order, err
}

// recipe is the member's own; where no gateway ever told it, image and labels are all that is known.
func (in importing) recipe(m migrate.Member) (driver.Recipe, error) {
	if m.RecipeIn == "" {
		spec, err := openshell.Changes{Image: m.Image}.Apply(nil)
		return driver.Recipe{Image: m.Image, Spec: spec, Labels: m.Labels}, err
	}
	b, err := in.store.Find(m.Name, m.RecipeIn)
	if err != nil {
		return driver.Recipe{}, fmt.Errorf("its recipe: %w", err)
	}
	text, err := in.store.Recipe(b, in.identities)
	if err != nil {
		return driver.Recipe{}, fmt.Errorf("its recipe: %w", err)
	}
	return driver.ReadRecipe(text)
}

func (in importing) listed(ctx context.Context, gateways *driver.Gateways, at driver.Place) ([]lifecycle.Record, error) {
	on, err := gateways.Driver(ctx, at)
	if err != nil {
		return nil, err
	}
	return on.ListSandboxes(ctx)
}

// stillRuns says why the old container of a member may run, or may hold more than its backup. One that is gone does
// not; of one on another engine nothing is known.
func (in importing) stillRuns(ctx context.Context, m migrate.Member) error {
	if m.Container == "" || in.elsewhere {
		return nil
	}
	on := in.engineOf(ctx, m.Engine)
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
		return fmt.Errorf("its old container %q: %w", c.Name, migrate.ErrStartedSince)
	}

	return nil
}

func (in importing) engineOf(ctx context.Context, identity string) *engine.Engine {
	for _, on := range in.app.host.Engines(ctx).All() {
		if id, err := on.Identity(ctx); err == nil && id == identity {
			return on
		}
	}
	return nil
}
