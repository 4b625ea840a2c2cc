package cmd

import (
	"context"

	"sandkeeper/engine"
	"sandkeeper/upgrade"
)

// looker is the container engine that an upgrade is about; nil where it does not answer.
func (o *upgradeOptions) looker(ctx context.Context, e *upgrade.Entry) upgrade.Looker {
	eng := engineWith(ctx, o.app.host.Engines(ctx), e.EngineID)
	if eng == nil {
		return nil
	}
	if identity, err := eng.Identity(ctx); e.EngineID != "" && (err != nil || identity != e.EngineID) {
		return nil
	}
	return eng
}

// engineWith is the engine of that identity among those that answer; the main one where none has it.
func engineWith(ctx context.Context, engines engine.Engines, identity string) *engine.Engine {
	for _, e := range engines.All() {
		if got, err := e.Identity(ctx); err == nil && got == identity {
			return e
		}
	}

	main, _ := engines.Main()
	return main
}
