package openshell

import (
	"context"
	"fmt"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/openshell/wire"
)

// GetSandbox returns one sandbox of the workspace. The error wraps fs.ErrNotExist when the gateway has none of that
// name.
func (a *API) GetSandbox(ctx context.Context, name string) (RawSandbox, error) {
	var found RawSandbox
	err := a.probe(func(v wire.Version) error {
		answer, err := a.read(ctx, "GetSandbox", a.Address(name), v.Named(name, a.workspace))
		if err != nil {
			return err
		}
		found, err = a.sandboxIn("GetSandbox", name, v, answer)
		return err
	})
	return found, err
}

// sandboxIn reads an answer about the named sandbox. One about another sandbox is no answer.
func (a *API) sandboxIn(op, name string, v wire.Version, answer []byte) (RawSandbox, error) {
	row, err := v.ReadSandboxResponse(answer)
	if err == nil && row.Name != name {
		err = fmt.Errorf("SandboxResponse.sandbox: the answer is about %q", row.Name)
	}
	if err != nil {
		return RawSandbox{}, a.decoded(op, err)
	}
	return rawSandbox(row), nil
}

// CreateRequest is a sandbox to be created: a spec as GetSandbox showed it, and the names around it.
type CreateRequest struct {
	Name, Workspace     string // an empty workspace is the API's own
	Labels, Annotations map[string]string
	Spec                []byte // SandboxSpec in wire form, of whatever generation
}

// CreateSandbox creates a sandbox and returns it as the gateway first shows it, usually Provisioning. Nothing that the
// spec says is dropped without a word: an *InexpressibleError names what this gateway's version cannot be told.
func (a *API) CreateSandbox(ctx context.Context, r CreateRequest) (RawSandbox, error) {
	if err := a.writable(); err != nil {
		return RawSandbox{}, err
	}
	spec, err := a.version.FitSpec(r.Spec)
	if err != nil {
		return RawSandbox{}, fmt.Errorf("sandbox %q: %w", r.Name, err)
	}
	creation := wire.Creation{Name: r.Name, Workspace: r.Workspace, Labels: r.Labels, Annotations: r.Annotations, Spec: spec}
	if creation.Workspace == "" {
		creation.Workspace = a.workspace
	}
	address := sandboxname.Address(creation.Workspace, r.Name)
	request, err := a.version.CreateSandbox(creation)
	if err != nil {
		return RawSandbox{}, fmt.Errorf("sandbox %q: %w", address, err)
	}
	answer, err := a.write(ctx, "CreateSandbox", address, request)
	if err != nil {
		return RawSandbox{}, err
	}
	return a.sandboxIn("CreateSandbox", r.Name, a.version, answer)
}

// DeleteSandbox asks for a deletion. No answer proves that the sandbox is gone; Wait for that. The error wraps
// fs.ErrNotExist when there was none of that name.
func (a *API) DeleteSandbox(ctx context.Context, name string) (wire.Deletion, error) {
	answer, err := a.write(ctx, "DeleteSandbox", a.Address(name), a.version.Named(name, a.workspace))
	if err != nil {
		return wire.DeletionUnsaid, err
	}
	deletion, err := a.version.ReadDeletion(answer)
	return deletion, a.decoded("DeleteSandbox", err)
}

// Switches is nil where the gateway stops and starts sandboxes. Before 0.0.105 it does not, and the error wraps
// ErrUnsupported (docs/facts/openshell.md 2.3). Of an unknown generation the calls themselves tell.
func (a *API) Switches() error {
	if a.version.Generation == wire.Unknown || a.version.Since(105) {
		return nil
	}
	return fmt.Errorf("gateway %q of OpenShell %s stops and starts no sandbox: %w", a.Gateway, text.OneLine(a.version.Text, 40), ErrUnsupported)
}

// StopSandbox stops a sandbox and keeps what is in it. Before 0.0.105 the error wraps ErrUnsupported.
func (a *API) StopSandbox(ctx context.Context, name string) error {
	_, err := a.write(ctx, "StopSandbox", a.Address(name), a.version.Named(name, a.workspace))
	return err
}

// StartSandbox starts a stopped sandbox. Before 0.0.105 the error wraps ErrUnsupported.
func (a *API) StartSandbox(ctx context.Context, name string) error {
	_, err := a.write(ctx, "StartSandbox", a.Address(name), a.version.Named(name, a.workspace))
	return err
}
