package migrate

import (
	"context"
	"fmt"
	"path/filepath"

	"sandkeeper/internal/journal"
)

// hold is the record by which one run at a time works on the migration of a gateway. Nothing is ever put into it.
type hold struct{}

// Hold shuts out other exports and imports of a gateway until it is closed, or the process ends. The error is a
// *journal.HeldError when another run is at work.
func Hold(ctx context.Context, state, gateway string) (*journal.Record[hold], error) {
	shelf := journal.NewShelf(filepath.Join(state, "migrating"), journal.Kind[hold]{
		About: func(hold) string { return fmt.Sprintf("the migration of gateway %q", gateway) },
		Check: func(string, hold) error { return nil },
	})
	return shelf.Own(ctx, journal.Key("gateway", gateway))
}
