package gateway

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Place is one file, or one folder of files, of what a gateway and its CLI keep on this host. Name is where it goes in
// a backup.
type Place struct {
	Name     string
	Path     string
	Tree     bool // a folder
	Database bool // an SQLite database that may be in use
	Secret   bool // a credential as a whole, whatever its files are called
	Programs bool // its files are programs, and larger than a configuration

	Why string // a database without a path: why it cannot be told where it is
}

// StatePlaces are where the state of gateway t is, or would be, on this host: what it takes to build the gateway again
// (docs/facts/openshell.md 1.3 and 1.4, docs/facts/openshell-0.1.md 1.1 and 4). Whether a place exists is for the
// caller to see. The database comes first; a path that cannot be told is "", with the reason.
func StatePlaces(ctx context.Context, o Options, t Target) []Place {
	file := o.filled().databaseFile(ctx, t)
	places := []Place{{Name: databasePlace, Path: file.path, Database: true, Why: file.why}}
	places = append(places, o.keyPlaces(file)...)
	if config := o.Env.ConfigHome(); config != "" {
		places = append(places, Place{Name: "config", Path: filepath.Join(config, "openshell"), Tree: true})
	}
	if path := o.namedConfig(file.by); path != "" {
		places = append(places, Place{Name: "gateway-config/gateway.toml", Path: path})
	}
	return append(places, o.hostPlaces(file)...)
}

// keyPlaces is the key that encrypts the credentials in the database. A gateway keeps it where its state is, and the
// packages beside the database.
func (o Options) keyPlaces(file databaseFile) []Place {
	var keys []string
	if file.path != "" {
		keys = append(keys, filepath.Join(filepath.Dir(file.path), keyFile))
	}
	if state := o.stateHome(file); state != "" {
		keys = append(keys, filepath.Join(state, "openshell/gateway", keyFile))
	}
	if len(keys) == 0 {
		return nil
	}
	return []Place{{Name: keyFile, Path: firstThere(keys), Secret: true}}
}

// hostPlaces are what the sandboxes' containers need of this host besides: certificates, each sandbox's token and
// state, and the supervisors that containers of 0.0.x mount. Without a sandbox's token its gateway calls it Error for
// good.
func (o Options) hostPlaces(file databaseFile) []Place {
	var places []Place
	state := o.stateHome(file)
	if dir := cmp.Or(file.by.env.Get("OPENSHELL_LOCAL_TLS_DIR"), o.Env.Get("OPENSHELL_LOCAL_TLS_DIR")); filepath.IsAbs(dir) {
		places = append(places, Place{Name: "tls", Path: filepath.Clean(dir), Tree: true})
	} else if state != "" {
		places = append(places, Place{Name: "tls", Path: filepath.Join(state, "openshell/tls"), Tree: true})
	}

	if state != "" {
		places = append(places, Place{Name: "sandbox-tokens", Path: filepath.Join(state, "openshell/docker-sandbox-tokens"), Tree: true, Secret: true})
	}
	if data := cmp.Or(file.by.env.DataHome(), o.Env.DataHome()); data != "" {
		places = append(places, Place{Name: "supervisors", Path: filepath.Join(data, "openshell/docker-supervisor"), Tree: true, Programs: true})
	}
	return places
}

func (o Options) stateHome(file databaseFile) string {
	return cmp.Or(file.by.env.StateHome(), o.Env.StateHome())
}

// databasePlace is where the database goes in a backup.
const databasePlace = "database/openshell.db"

// keyFile is the key that encrypts the credentials in the database, since 0.0.100; without it they are lost.
const keyFile = "credentials/key-encryption-key.bin"

func firstThere(paths []string) string {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return paths[0]
}

// CheckStopped gives an error unless gateway t does not run: no live process of it, and nothing accepts at its
// endpoint. What cannot be seen is not taken for stopped.
func CheckStopped(ctx context.Context, o Options, t Target) error {
	o = o.filled()
	if t.Err != nil {
		return t.Err
	}
	if t.Remote {
		return fmt.Errorf("gateway %q is on another host (%s)", t.Name, t.Endpoint)
	}
	seen := o.sight(ctx, t, o.readMarker(t))
	if found := seen.any(); found != nil {
		return fmt.Errorf("gateway %q runs as process %d", t.Name, found.PID)
	}
	if seen.err != nil {
		return fmt.Errorf("whether gateway %q runs cannot be seen: %w", t.Name, seen.err)
	}
	if knock(ctx, t) == nil {
		return fmt.Errorf("something answers at %s, where gateway %q would", listensAt(t), t.Name)
	}
	return ctx.Err()
}
