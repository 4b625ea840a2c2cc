package openshell

import (
	"context"
	"errors"
	"io/fs"
)

// CreateWorkspace makes a workspace, unless there is one of that name. Before 0.0.88 the error wraps ErrUnsupported.
func (a *API) CreateWorkspace(ctx context.Context, name string) error {
	_, err := a.write(ctx, "CreateWorkspace", name, a.version.CreateWorkspace(name))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
