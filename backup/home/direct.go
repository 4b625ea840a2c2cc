package home

import (
	"context"
	"errors"
	"os"

	"sandkeeper/engine"
)

// ErrNotDirect is wrapped where the direct way fails or is not possible. The engine's way is always there instead.
var ErrNotDirect = errors.New("not through the file system")

// Grounded is an engine that can say where a container is on this host; *engine.Engine is one.
type Grounded interface {
	OnHost(ctx context.Context, id string) (engine.OnHost, error)
}

// DirectHome is a home on the direct way: its folder in the file system that the sandbox sees, read by this process
// itself. For a container that runs that is the root of its first process; for a stopped one its layers, mounted
// together for this process alone and read-only. The kernel lets go of either when the folder is closed, also when this
// process is killed.
type DirectHome struct {
	Folder *os.File
	At     engine.OnHost // what was proved of the container; nothing for a stack of folders
	Volume string        // the folder of this host that is the home, where the home is a volume
	Below  []string      // paths in the home where something is mounted
	mounts map[string]bool
	memory map[string]bool
}

// Close lets go of the home.
func (d *DirectHome) Close() error { return d.Folder.Close() }
