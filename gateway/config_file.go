package gateway

import (
	"cmp"
	"context"
	"path/filepath"
)

// ConfigFile is the gateway.toml that gateway t reads when it starts, or would read if it were there: the one that its
// process, its unit or our environment names, else the user's, else that of the package that has one
// (docs/facts/openshell-0.1.md 4.1, 4.3). It is "" where there is no home, and for a gateway on another host.
func ConfigFile(ctx context.Context, o Options, t Target) string {
	if t.Remote {
		return ""
	}
	o = o.filled()
	return o.configFile(o.databaseFile(ctx, t).by)
}

// configFile is the gateway.toml that a start reads.
func (o Options) configFile(by startup) string {
	if path := o.namedConfig(by); path != "" {
		return path
	}
	var usual []string
	if config := o.Env.ConfigHome(); config != "" {
		usual = append(usual, filepath.Join(config, "openshell/gateway.toml"))
	}
	for _, path := range []string{"/opt/homebrew/var/openshell/gateway.toml", "/var/snap/openshell/common/gateway.toml"} {
		if exists(o.system(path)) {
			usual = append(usual, o.system(path))
		}
	}

	if len(usual) == 0 {
		return ""
	}
	return firstThere(usual)
}

// namedConfig is the gateway.toml that a start names; "" when it leaves that to the gateway.
func (o Options) namedConfig(by startup) string {
	path := cmp.Or(flag(by.args, "--config"), by.env.Get("OPENSHELL_GATEWAY_CONFIG"), o.Env.Get("OPENSHELL_GATEWAY_CONFIG"))
	if !filepath.IsAbs(path) {
		return ""
	}
	return filepath.Clean(path)
}
