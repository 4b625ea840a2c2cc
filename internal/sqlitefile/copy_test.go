package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestCopyOfALiveDatabaseIsOneState copies while a writer changes every row in each of its transactions: in every copy all rows
// are equal, and SQLite finds the copy sound.
func TestCopyOfALiveDatabaseIsOneState(t *testing.T) {
	for name, mode := range map[string][]string{
		"rollback":         {"PRAGMA journal_mode=DELETE"},
		"kept journal":     {"PRAGMA journal_mode=PERSIST"},
		"log":              {"PRAGMA journal_mode=WAL"},
		"log, checkpoints": {"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=20"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.db")
			db := open(t, path, append(mode, "PRAGMA synchronous=OFF", "CREATE TABLE t (n, filler)")...)
			for range 60 {
				if _, err := db.Exec("INSERT INTO t VALUES (0, zeroblob(2000))"); err != nil {
					t.Fatal(err)
				}
			}
			stop := writing(t, db)
			defer stop()
			last := int64(-1)
			for range 4 {
				n := copied(t, path)
				if n < last {
					t.Errorf("a copy has state %d, an earlier one %d", n, last)
				}
				last = n
				time.Sleep(10 * time.Millisecond)
			}
			if stop() == 0 || last <= 0 {
				t.Errorf("the writer did not write while it was copied: state %d", last)
			}
		})
	}
}

// writing changes every row, again and again; stop says how many times.
func writing(t *testing.T, db *sql.DB) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var n int64
	wg.Go(func() {
		for ; ctx.Err() == nil; n++ {
			if _, err := db.Exec("UPDATE t SET n = n + 1"); err != nil {
				t.Errorf("the writer was disturbed: %v", err)
				return
			}
		}
	})
	return func() int64 { cancel(); wg.Wait(); return n }
}

// copied copies path, has SQLite judge the copy, and gives the one value that all of its rows have.
func copied(t *testing.T, path string) int64 {
	t.Helper()
	to, err := os.Create(filepath.Join(t.TempDir(), "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := Copy(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	db := open(t, to.Name())
	var sound string
	var least, most, count int64
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("SQLite finds the copy %q, %v", sound, err)
	}
	if err := db.QueryRow("SELECT min(n), max(n), count(*) FROM t").Scan(&least, &most, &count); err != nil || least != most || count != 60 {
		t.Errorf("the copy has %d rows from state %d to %d: %v", count, least, most, err)
	}
	return least
}

func TestCopyTakesTheCommittedLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path, "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t (n, filler)")
	for range 60 {
		if _, err := db.Exec("INSERT INTO t VALUES (7, zeroblob(2000))"); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("UPDATE t SET n = 8"); err != nil {
		t.Fatal(err)
	}
	if got := copied(t, path); got != 7 {
		t.Errorf("the copy has state %d, want the committed 7", got)
	}
}

func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	to, err := os.Create(filepath.Join(dir, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), foreign, to); !errors.Is(err, ErrForeign) {
		t.Errorf("a foreign file: %v", err)
	}
	crashed := filepath.Join(dir, "crashed.db")
	_ = open(t, crashed, "CREATE TABLE t (s)").Close()
	if err := os.WriteFile(crashed+"-journal", []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), crashed, to); !errors.Is(err, ErrBusy) {
		t.Errorf("a database with a journal that nobody holds: %v", err)
	}
}
