package gateway

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/internal/database"
)

// Database is the gateway's own database as it was found, by a look that neither locks nor changes it.
type Database struct {
	State      drift.State // known: its migrations were read; absent: there is none; unknown: Why
	Path       string      // "" when it is not a file of this host
	Migrations []int       // numbers of the applied migrations, ascending
	Unfinished []int       // those that sqlx marked as begun and not ended
	Why        string
	Postgres   bool // it is on a server
}

// Generation is the newest migration; 0 when none is known.
func (d Database) Generation() int {
	if len(d.Migrations) == 0 {
		return 0
	}
	return slices.Max(d.Migrations)
}

// migrationsTable is where sqlx, the gateway's database library, keeps what it has applied (docs/facts/openshell.md
// 1.3).
const migrationsTable = "_sqlx_migrations"

// ReadDatabase reads the generation of the database of gateway t.
func ReadDatabase(ctx context.Context, o Options, t Target) Database {
	file := o.filled().databaseFile(ctx, t)
	switch {
	case file.path != "":
		return readMigrations(ctx, file.path)
	case file.unseen:
		return Database{State: drift.Unknown, Why: file.why}
	}
	return Database{State: drift.Absent, Why: file.why, Postgres: file.postgres}
}

func (o Options) elsewhere(t Target) string {
	return fmt.Sprintf("gateway %q is on another host (%s)", t.Name, t.Endpoint)
}

func readMigrations(ctx context.Context, path string) Database {
	d := Database{Path: path}
	err := database.Look(ctx, path, d.read)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Database{Path: path, State: drift.Absent, Why: "no file " + path}
	case err != nil:
		return Database{Path: path, State: drift.Unknown, Why: clean(fmt.Errorf("%s: %w", path, err))}
	}

	d.State = drift.Known
	return d
}

// read reads the migrations from a copy of the database.
func (d *Database) read(ctx context.Context, db *sql.DB) error {
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", migrationsTable).Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return fmt.Errorf("it has no table %s", migrationsTable)
	}
	rows, err := db.QueryContext(ctx, "SELECT version, success FROM "+migrationsTable+" ORDER BY version")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var version int
		var success bool
		if err := rows.Scan(&version, &success); err != nil {
			return fmt.Errorf("its table %s is of another program: %w", migrationsTable, err)
		}
		d.Migrations = append(d.Migrations, version)
		if !success {
			d.Unfinished = append(d.Unfinished, version)
		}
	}

	return rows.Err()
}

// String lists the migrations: "1, 4, 5".
func (d Database) String() string {
	words := make([]string, len(d.Migrations))
	for i, n := range d.Migrations {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}
