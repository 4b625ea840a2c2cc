package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

// DeleteSandbox deletes the sandbox and waits until the gateway has it no more. A sandbox of the same name with another
// id is not the sandbox that is meant: it stays, and the sandbox that is meant counts as gone.
func (d *API) DeleteSandbox(ctx context.Context, sandbox lifecycle.Reference) error {
	ctx, cancel := d.bounded(ctx, sandbox)
	defer cancel()
	found, err := d.find(ctx, sandbox)
	if err != nil || found == nil {
		return err
	}
	// Every kind of yes, NOT_FOUND and "the record was there, the container was not" is settled by looking.
	if _, err := d.API.DeleteSandbox(ctx, found.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.afterFailedDelete(ctx, *found, err)
	}
	return d.awaitGone(ctx, *found)
}

func (d *API) bounded(ctx context.Context, sandbox lifecycle.Reference) (context.Context, context.CancelFunc) {
	limit := cmp.Or(d.DeleteLimit, DefaultDeleteLimit)
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("sandbox %q was not gone within %v", d.API.Address(sandbox.Name), limit))
}

// find is the sandbox that is meant; nil when it is not there.
func (d *API) find(ctx context.Context, sandbox lifecycle.Reference) (*openshell.RawSandbox, error) {
	if sandbox.Name == "" {
		return d.findByID(ctx, sandbox.ID)
	}
	seen, err := d.API.GetSandbox(ctx, sandbox.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case sandbox.ID != "" && sandbox.ID != seen.ID:
		return nil, nil
	}
	return &seen, nil
}

func (d *API) findByID(ctx context.Context, id string) (*openshell.RawSandbox, error) {
	if id == "" {
		return nil, errors.New("a sandbox without id and name cannot be deleted")
	}
	rows, err := d.API.Sandboxes(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.ID == id {
			return &row, nil
		}
	}

	return nil, nil
}

// afterFailedDelete looks whether a deletion that failed was made, or begun, all the same.
func (d *API) afterFailedDelete(ctx context.Context, found openshell.RawSandbox, failure error) error {
	look, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), lookLimit, fmt.Errorf("nobody said within %s what became of it", lookLimit))
	defer cancel()
	left, err := d.API.Wait(look, found.Name, func(*openshell.RawSandbox) (bool, error) { return true, nil })
	switch {
	case err != nil:
		return errors.Join(failure, err)
	case left == nil || left.ID != found.ID:
		return nil
	case left.Phase == "Deleting":
		return d.awaitGone(ctx, found)
	}

	return failure
}

func (d *API) awaitGone(ctx context.Context, found openshell.RawSandbox) error {
	last, err := d.API.Wait(ctx, found.Name, func(seen *openshell.RawSandbox) (bool, error) {
		return seen == nil || seen.ID != found.ID, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w; its gateway still lists it as %s %s", err, last.Phase, text.OneLine(last.Reason, 120))
	}
	return err
}
