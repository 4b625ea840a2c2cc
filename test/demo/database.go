package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// migrations are those of a gateway of OpenShell 0.0.88 to 0.0.116 (docs/checks.md, database-generation).
func migrations() []int { return []int{1, 4, 5, 6} }

// database puts a gateway's database where NemoClaw's gateway keeps it, with a record of each sandbox.
func (d *demo) database(ctx context.Context) error {
	db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(d.Marker()), "openshell.db"))
	if err != nil {
		return err
	}
	statements := []string{
		`CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
			success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)`,
		"CREATE TABLE objects (id TEXT PRIMARY KEY, name TEXT)",
	}
	for _, version := range migrations() {
		statements = append(statements, fmt.Sprintf("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (%d, 'm', true, x'00', 1)", version))
	}
	for _, s := range d.Script.Sandboxes {
		statements = append(statements, fmt.Sprintf("INSERT INTO objects VALUES ('%s', '%s')", s.ID, s.Name))
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return errors.Join(err, db.Close())
		}
	}

	return db.Close()
}
