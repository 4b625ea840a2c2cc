package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the real thing, to make databases
)

// databaseCommand is `gatewaydb PATH MIGRATION…` in a script: a gateway's database with these migrations applied.
func databaseCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: gatewaydb PATH MIGRATION…")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	db, err := sql.Open("sqlite", path)
	ts.Check(err)
	defer db.Close()
	statements := []string{
		`CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
			success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)`,
		"CREATE TABLE objects (id TEXT PRIMARY KEY, name TEXT)", "INSERT INTO objects VALUES ('id-alpha', 'alpha')",
	}
	for _, n := range args[1:] {
		statements = append(statements, fmt.Sprintf("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (%s, 'm', true, x'00', 1)", n))
	}
	for _, statement := range statements {
		_, err := db.Exec(statement)
		ts.Check(err)
	}
}
