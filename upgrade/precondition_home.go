package upgrade

import (
	"context"

	"sandkeeper/sandbox"
)

// home is the absolute path of the sandbox's home, which no extension may mount over; "" where it cannot be told.
func (p *precheck) home(ctx context.Context, container bool) string {
	on, ok := p.Engine.(sandbox.HomeEngine)
	if !ok || !container {
		return ""
	}
	home, err := sandbox.FindHome(ctx, on, p.target.Sandbox)
	if err != nil {
		return ""
	}
	return home
}
