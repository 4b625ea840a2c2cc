package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sandkeeper/drift"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/trust"
)

// Config is the gateway.toml that a gateway reads when it starts, by a look that changes nothing.
type Config struct {
	State   drift.State // known: it was read; absent: there is none; unknown: Why
	Path    string      // "" where nothing says which file it is
	Version int64       // of [openshell]; 0 when it names none
	Open    bool        // it is served without TLS, and nothing authenticates users
	Why     string

	Asked   bool   // the gateway that would be started next was asked for its opinion
	Refused string // what it said against the file; "" when it accepts it
}

// configLimit is far above any gateway.toml.
const configLimit = 1 << 20

// ReadConfig reads the gateway.toml of gateway t, and asks next, the program that would be started, what it thinks of
// it.
func ReadConfig(ctx context.Context, o Options, t Target, next drift.File) Config {
	if t.Remote {
		return Config{State: drift.Absent, Why: o.elsewhere(t)}
	}
	o = o.filled()
	by := o.databaseFile(ctx, t).by
	c := Config{State: drift.Absent, Path: o.configFile(by)}
	if c.Path == "" {
		c.Why, c.Open = "nothing on this host says which it would be", by.open(t, configTables{})
		return c
	}
	tables, err := o.readConfig(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Why, c.Open = "no file "+c.Path, by.open(t, tables)
		return c
	case err != nil:
		c.State, c.Why = drift.Unknown, clean(err)
	default:
		c.State, c.Version, c.Open = drift.Known, tables.OpenShell.Version, by.open(t, tables)
	}

	c.Asked, c.Refused = o.configPreflight(ctx, c.Path, next)
	return c
}

// configTables are the parts of a gateway.toml that decide whether a gateway starts (docs/facts/openshell-0.1.md 4.1,
// 2.2).
type configTables struct {
	OpenShell struct {
		Version int64 `toml:"version"`
		Gateway struct {
			BindAddress string         `toml:"bind_address"` // "127.0.0.1:17670"
			DisableTLS  bool           `toml:"disable_tls"`
			OIDC        map[string]any `toml:"oidc"`
			JWT         map[string]any `toml:"gateway_jwt"`
			Auth        struct {
				Open bool `toml:"allow_unauthenticated_users"`
			} `toml:"auth"`
		} `toml:"gateway"`
	} `toml:"openshell"`
}

func (o Options) readConfig(path string) (tables configTables, err error) {
	content, err := homefile.Read(o.Env.Home(), path, configLimit)
	if err != nil {
		return tables, err
	}
	if err := toml.Unmarshal(content, &tables); err != nil {
		return tables, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return tables, nil
}

// open reports whether a gateway that is started so and with this configuration lets in everybody without having been
// told to.
func (s startup) open(t Target, c configTables) bool {
	g := c.OpenShell.Gateway
	plain := g.DisableTLS || strings.HasPrefix(t.Endpoint, "http://")
	return plain && len(g.OIDC) == 0 && len(g.JWT) == 0 && !g.Auth.Open && !s.authenticates()
}

// authenticates reports whether the command line or the environment of a start names a way to authenticate users
// (docs/facts/openshell.md 1.3).
func (s startup) authenticates() bool {
	for _, arg := range s.args {
		if strings.HasPrefix(arg, "--oidc") || strings.HasPrefix(arg, "--enable-mtls-auth") {
			return true
		}
	}

	for _, entry := range s.env.All() {
		if strings.HasPrefix(entry, "OPENSHELL_OIDC_") || strings.HasPrefix(entry, "OPENSHELL_ENABLE_MTLS_AUTH=") {
			return true
		}
	}
	return false
}

// unknownSubcommand is the exit status with which a gateway ends that has no `config preflight`.
const unknownSubcommand = 2

// configPreflight asks the program that would be started next. Its own command reads the file, changes nothing and
// starts nothing (docs/facts/openshell-0.1.md 4.2). Gateways before 0.1.0 have no such command.
func (o Options) configPreflight(ctx context.Context, path string, next drift.File) (asked bool, refused string) {
	if next.State != drift.Known || !next.Version.Stable() {
		return false, ""
	}
	file, err := trust.Open(next.Path, o.UID)
	if err != nil {
		return false, ""
	}
	defer file.Close()
	result, err := o.run(ctx, file, next.Path, "config", "preflight", "--path", path)
	switch {
	case err != nil, result.Exit == unknownSubcommand:
		return false, ""
	case result.Exit == 0:
		return true, ""
	}

	return true, quoted(result.Combined())
}
