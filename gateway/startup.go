package gateway

import (
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"sandkeeper/internal/env"
)

// startup is how a gateway was started, or would be. It decides which port the gateway serves and which database it
// opens.
type startup struct {
	args []string
	env  env.Env
	dir  string // its working folder; "" when that is unknown
}

// databaseURL is where the gateway is told to keep its database: --db-url, else OPENSHELL_DB_URL; "" for the default
// (docs/facts/openshell.md 1.3).
func (s startup) databaseURL() string {
	if given := flag(s.args, "--db-url"); given != "" {
		return given
	}
	return strings.TrimSpace(s.env.Get("OPENSHELL_DB_URL"))
}

// wouldServe reports whether a gateway that is started so would listen on a port: that of --port, else of
// OPENSHELL_SERVER_PORT, else of the gateway.toml that it reads, else the default of its version
// (docs/facts/openshell-0.1.md 4.1).
func (o Options) wouldServe(s startup, port int) bool {
	given := flag(s.args, "--port")
	if given == "" {
		given = strings.TrimSpace(s.env.Get("OPENSHELL_SERVER_PORT"))
	}
	if given == "" {
		given = o.configuredPort(s)
	}
	if given != "" {
		return number(given) == port
	}
	return port == OpenShellPort || port == oldOpenShellPort
}

// configuredPort is the port in the bind_address of the gateway.toml that a start reads; "" when there is none, also
// when the file cannot be read: no gateway starts with it then.
func (o Options) configuredPort(s startup) string {
	path := o.configFile(s)
	if path == "" {
		return ""
	}
	tables, err := o.readConfig(path)
	if err != nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(tables.OpenShell.Gateway.BindAddress)
	return port
}

// oldOpenShellPort is OpenShell's default port up to 0.0.43 (docs/facts/openshell.md 1.3).
const oldOpenShellPort = 8080

// database is the file that a database URL names.
func (s startup) database(address string) databaseFile {
	if strings.HasPrefix(address, "postgres") {
		return databaseFile{why: "it is in PostgreSQL, which this program does not ask", postgres: true}
	}
	path, ok := strings.CutPrefix(address, "sqlite:")
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "//"), "?")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	if ok && path != "" && !strings.HasPrefix(path, ":") && !filepath.IsAbs(path) && s.dir != "" {
		path = filepath.Join(s.dir, path)
	}
	if !ok || !filepath.IsAbs(path) {
		return databaseFile{why: "the gateway's database URL does not name an SQLite file by its whole path"}
	}
	return databaseFile{path: filepath.Clean(path)}
}
