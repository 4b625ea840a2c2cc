package gateway

import (
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

// serves reports whether the gateway would listen on a port: on --port, OPENSHELL_SERVER_PORT, or the default of its
// version.
func (s startup) serves(port int) bool {
	given := flag(s.args, "--port")
	if given == "" {
		given = strings.TrimSpace(s.env.Get("OPENSHELL_SERVER_PORT"))
	}
	if given != "" {
		return number(given) == port
	}
	return port == OpenShellPort || port == oldOpenShellPort
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
