package driver

import (
	"context"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Beside reads what the gateway of a sandbox keeps of it beside its recipe.
func (g *Gateways) Beside(ctx context.Context, sb sandbox.Sandbox) (openshell.Beside, error) {
	api, err := g.in(ctx, Place{sb.Gateway, sb.Workspace})
	if err != nil {
		return openshell.Beside{}, err
	}
	return api.Beside(ctx, sb.ID, sb.Name)
}

// Replay gives it to the sandbox that was made in its place.
func (g *Gateways) Replay(ctx context.Context, sb sandbox.Sandbox, kept openshell.Beside) error {
	api, err := g.in(ctx, Place{sb.Gateway, sb.Workspace})
	if err != nil {
		return err
	}
	return api.Replay(ctx, sb.Name, kept)
}
