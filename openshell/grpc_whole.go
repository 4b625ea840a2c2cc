package openshell

import (
	"context"

	"sandkeeper/openshell/wire"
)

// Setting is one setting of a gateway or of a sandbox.
type Setting = wire.Setting

// Workspaces returns the names of all workspaces. Before 0.0.88 the error wraps ErrUnsupported.
func (a *API) Workspaces(ctx context.Context) (names []string, err error) {
	items, err := a.list("ListWorkspaces", a.version, func(p wire.Page) (page, error) {
		answer, err := a.read(ctx, "ListWorkspaces", "", a.version.ListWorkspaces(p))
		if err != nil {
			return page{}, err
		}
		names, next, err := a.version.ReadWorkspaces(answer)
		return page{items: named(names), next: next}, a.decoded("ListWorkspaces", err)
	})
	for _, item := range items {
		names = append(names, item.key)
	}
	return names, err
}

// named are items that are told apart by their names.
func named(names []string) (items []item) {
	for _, name := range names {
		items = append(items, item{key: name})
	}
	return items
}

// Settings are those of the whole gateway that somebody has set.
func (a *API) Settings(ctx context.Context) ([]Setting, error) {
	answer, err := a.read(ctx, "GetGatewayConfig", "", nil)
	if err != nil {
		return nil, err
	}
	settings, err := wire.ReadGatewaySettings(answer)
	return settings, a.decoded("GetGatewayConfig", err)
}

// SetSetting sets one setting of the whole gateway.
func (a *API) SetSetting(ctx context.Context, s Setting) error {
	_, err := a.write(ctx, "UpdateConfig", s.Key, a.version.SetGatewaySetting(s))
	return err
}
