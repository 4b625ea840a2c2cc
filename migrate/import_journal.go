package migrate

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// imported is what is known of a sandbox that an import makes or has made. It stays when the import is done: by it the
// next one recognises what is there.
type imported struct {
	Gateway   string    `json:"gateway"` // that it is made on
	Workspace string    `json:"workspace"`
	Name      string    `json:"name"`
	From      string    `json:"from"` // the gateway that was exported
	OldID     string    `json:"oldId"`
	Backup    string    `json:"backup"`
	Started   time.Time `json:"started"`         // of the old container, when that backup was made
	NewID     string    `json:"newId,omitempty"` // of the sandbox that was made
	Done      bool      `json:"done"`            // it was whole
	Begun     time.Time `json:"begun"`
	Updated   time.Time `json:"updated"`
}

// key is also that of its recreation.
func (i imported) key() string { return journal.SandboxKey(i.Gateway, i.Workspace, i.Name) }

func (i *Importer) key(m Member) string {
	return imported{Gateway: i.Gateway, Workspace: m.Workspace, Name: i.name(m)}.key()
}

// imports is the shelf of what imports have made, in sandkeeper's state folder.
func imports(state string) journal.Shelf[imported] {
	return journal.NewShelf(filepath.Join(state, "imported"), journal.Kind[imported]{
		About: func(i imported) string {
			return fmt.Sprintf("the import of sandbox %q", sandbox.Address(i.Workspace, i.Name))
		},
		Check: func(key string, i imported) error {
			if i.key() != key {
				return errors.New("it speaks of another sandbox than its name")
			}
			return nil
		},
	})
}
