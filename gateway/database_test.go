package gateway

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the real thing, to make databases

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// makeDatabase makes what sqlx makes (docs/facts/openshell.md 1.3), with these migrations applied; a negative one did
// not end.
func makeDatabase(t *testing.T, path string, migrations ...int) *sql.DB {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	statements := []string{
		"PRAGMA synchronous=OFF",
		`CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
			success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)`,
		"CREATE TABLE objects (id TEXT PRIMARY KEY, object_type TEXT, name TEXT, payload BLOB)",
	}
	for _, n := range migrations {
		statements = append(statements, fmt.Sprintf("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (%d, 'm', %v, x'00', 1)", max(n, -n), n > 0))
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

// parsed is what the text says, a version or none.
func parsed(text string) drift.Version {
	v, _ := drift.Parse(text)
	return v
}

func TestDatabaseFit(t *testing.T) {
	for _, test := range []struct {
		migrations []int
		version    string
		want       Compatibility
	}{
		{[]int{1, 2, 3}, "0.0.36", FitsNow},
		{[]int{1, 2}, "0.0.36", FitMigrates},
		{[]int{1, 2, 3}, "0.0.37", FitOtherLine},
		{[]int{1, 2, 3}, "0.1.2", FitOtherLine},
		{[]int{1, 4}, "0.0.36", FitOtherLine},
		{[]int{1, 4}, "0.0.43", FitsNow},
		{[]int{1, 4}, "0.0.44", FitMigrates},
		{[]int{1, 4, 5}, "0.0.43", FitNewer},
		{[]int{1, 4, 5}, "0.0.87", FitsNow},
		{[]int{1, 4, 5}, "0.0.88", FitMigrates},
		{[]int{1, 4, 5, 6}, "0.0.87", FitNewer},
		{[]int{1, 4, 5, 6}, "0.0.88-dev.2+gabcdef0", FitsNow},
		{[]int{1, 4, 5, 6}, "0.0.116", FitsNow},
		{[]int{1, 4, 5, 6, 7}, "0.0.116", FitNewer},
		{[]int{1, 4, 5, 6, 7}, "0.0.105", FitNewer},
		{[]int{1, 4, 5, 6}, "0.1.2", FitOneWay},
		{[]int{1, 4, 5, 6, 7, 9}, "0.1.2", FitUnknown},
		{[]int{1, 4, 5, 6, 7, 9, 10}, "0.1.8", FitNewer},
		{[]int{1, 4, 5, 6, 7, 9}, "0.1.9", FitMigrates},
		{[]int{1, 4, 5, 6, 7, 10}, "0.1.9", FitsNow},
		{[]int{1, 4, 5, 6, 7, 10, 11}, "0.1.9", FitNewer},
		{[]int{1, 4, 5, 6, 7, 10, 11}, "0.2.0", FitUnknown},
		{[]int{1, 4, -5}, "0.0.44", FitHalfDone},
		{[]int{1, 4, 5}, "0.0.0", FitUnknown},
		{[]int{1, 4, 5}, "dev", FitUnknown},
		{nil, "0.0.44", FitUnknown},
	} {
		path := filepath.Join(t.TempDir(), "openshell.db")
		makeDatabase(t, path, test.migrations...)
		d := readMigrations(t.Context(), path)
		if d.State != drift.Known {
			t.Fatalf("%v: %s", test.migrations, d.Why)
		}
		if got, why := d.Compatibility(parsed(test.version)); got != test.want || why == "" {
			t.Errorf("migrations %v and gateway %s: %s (%s), want %s", test.migrations, test.version, got, why, test.want)
		}
	}
}

func TestReadDatabaseOfALiveGateway(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".local/state/nemoclaw/openshell-docker-gateway-8091/openshell.db")
	db := makeDatabase(t, path, 1, 4, 5)
	for _, statement := range []string{"PRAGMA journal_mode=WAL", "INSERT INTO _sqlx_migrations VALUES (6, 'workspaces', 0, 1, x'00', 1)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.Begin() // the gateway writes while we look
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("INSERT INTO objects VALUES ('a', 'sandbox', 'alpha', x'00')"); err != nil {
		t.Fatal(err)
	}
	o := Options{Env: env.Parse([]string{"HOME=" + home})}
	d := ReadDatabase(t.Context(), o, Target{Name: "nemoclaw-8091", Port: 8091})
	if d.State != drift.Known || d.Generation() != 6 || d.Path != path {
		t.Errorf("got %+v", d)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("the gateway was disturbed: %v", err)
	}
}

func TestReadDatabaseSaysWhyNot(t *testing.T) {
	home := t.TempDir()
	foreign := filepath.Join(home, "foreign.db")
	if _, err := makeDatabase(t, foreign, 1).Exec("DROP TABLE _sqlx_migrations"); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(home, "torn.db")
	_ = makeDatabase(t, torn, 1, 4).Close()
	if err := os.Truncate(torn, 5000); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		url, gateway, want string
		state              drift.State
	}{
		"missing":  {"sqlite:" + home + "/none.db", "openshell", "no file " + home + "/none.db", drift.Absent},
		"foreign":  {"sqlite://" + foreign + "?mode=rwc", "openshell", "no table _sqlx_migrations", drift.Unknown},
		"torn":     {"sqlite:" + torn, "openshell", "malformed", drift.Unknown},
		"postgres": {"postgres://u:secret@db/x", "openshell", "PostgreSQL", drift.Absent},
		"none":     {"", "openshell", ".local/state/openshell/gateway/openshell.db", drift.Absent},
	} {
		o := Options{Env: env.Parse([]string{"HOME=" + home, "OPENSHELL_DB_URL=" + test.url}), Root: home}
		d := ReadDatabase(t.Context(), o, Target{Name: test.gateway, Port: OpenShellPort})
		if d.State != test.state || !strings.Contains(d.Why, test.want) || strings.Contains(d.Why, "secret") {
			t.Errorf("%s: %s (%s), want %s with %q", name, d.State, d.Why, test.state, test.want)
		}
		if d.Postgres != (name == "postgres") {
			t.Errorf("%s: postgres is %v", name, d.Postgres)
		}
	}
	if d := ReadDatabase(t.Context(), Options{}, Target{Name: "far", Remote: true}); d.State != drift.Absent {
		t.Errorf("remote: %+v", d)
	}
}

// A CLI behind its gateway is told that there is no way back only where the older gateway could not read the database.
func TestNoWayBack(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"0.0.110", "0.0.105", false},
		{"0.0.110", "0.0.87", true},
		{"0.0.43", "0.0.37", false},
		{"0.1.5", "0.0.116", true},
		{"0.1.9", "0.1.5", false},
		{"0.0.110", "", false},
	} {
		from, _ := drift.Parse(c.from)
		to, _ := drift.Parse(c.to)
		if got := NoWayBack(from, to); got != c.want {
			t.Errorf("NoWayBack(%s, %s) = %v", c.from, c.to, got)
		}
	}
}
