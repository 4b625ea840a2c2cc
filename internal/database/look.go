// Package database answers what an SQLite database of another program holds, and saves it, even in use. The library
// modernc.org/sqlite reads it.
//
// The program that owns the database never notices. A look reads a private copy of the database and its log: nothing
// appears beside the database, no lock is taken, and no journal is rolled back. Save opens the database itself only
// while another process has it open, for reading, and then SQLite's locks hold for both. Otherwise it saves a private
// copy.
package database

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql
)

// Look calls look with a private copy of the database at path, in the state of its last transaction. The error is
// look's own, or says why there is no such copy; it wraps fs.ErrNotExist when there is no file.
func Look(ctx context.Context, path string, look func(context.Context, *sql.DB) error) (err error) {
	s, err := takeSnapshot(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.remove()) }()
	db, err := openAddress(address(s.path, "rw"))
	if err != nil {
		return err
	}
	return errors.Join(look(ctx, db), db.Close())
}

// Is reports whether the file at path begins as an SQLite database does.
func Is(path string) bool {
	const magic = "SQLite format 3\x00" // https://www.sqlite.org/fileformat2.html, "Magic Header String"
	f, err := openPlain(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = f.ReadAt(head, 0)
	return err == nil && string(head) == magic
}

// openAddress opens one connection to a database.
func openAddress(name string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", name)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// address names the database at path for SQLite, in one of its modes, "ro" or "rw" (https://www.sqlite.org/uri.html):
// it is never created. Where a lock is in the way, SQLite waits up to five seconds for it, as gateways do.
func address(path, mode string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=" + mode + "&_pragma=busy_timeout(5000)"}
	return u.String()
}
