package sqlitefile

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "modernc.org/sqlite" // the real thing, to make databases and to judge copies
)

func open(t *testing.T, path string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

func rows(t *testing.T, path, table string) (got []string, found bool, err error) {
	t.Helper()
	err = Read(t.Context(), path, func(d *Database) (err error) {
		got = nil
		found, err = d.Rows(table, func(id int64, columns []any) error {
			got = append(got, fmt.Sprintf("%d %.40q", id, fmt.Sprint(columns...)))
			return nil
		})
		return err
	})
	return got, found, err
}

func TestRowsAreThoseThatSQLiteWrote(t *testing.T) {
	for name, setup := range map[string]struct{ before, after []string }{
		"rollback":    {},
		"log":         {before: []string{"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0"}},
		"half logged": {before: []string{"PRAGMA journal_mode=WAL"}, after: []string{"PRAGMA wal_checkpoint(PASSIVE)", "INSERT INTO t VALUES (1, 'late', 1.5, x'00')"}},
		"small pages": {before: []string{"PRAGMA page_size=512"}},
		"large pages": {before: []string{"PRAGMA page_size=65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.db")
			db := open(t, path, append(setup.before, "PRAGMA synchronous=OFF", "CREATE TABLE other (a)", "CREATE TABLE t (n INTEGER, s TEXT, f REAL, b BLOB)")...)
			must(t, db, "BEGIN")
			for i := range 500 {
				if _, err := db.Exec("INSERT INTO t VALUES (?, ?, ?, ?)", (i-250)*i*i*i*i, strings.Repeat("s", i*7), float64(i)/3, bytes.Repeat([]byte{byte(i)}, i%300)); err != nil {
					t.Fatal(err)
				}
			}
			must(t, db, "COMMIT")
			for _, statement := range append(setup.after, "DELETE FROM t WHERE rowid % 7 = 0", "INSERT INTO t VALUES (NULL, NULL, 0, 1)") {
				if _, err := db.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			compareWithSQLite(t, db, path)
			if _, found, err := rows(t, path, "missing"); found || err != nil {
				t.Errorf("a table that is not there: found %v, %v", found, err)
			}
		})
	}
}

func must(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// compareWithSQLite reads table t both ways.
func compareWithSQLite(t *testing.T, db *sql.DB, path string) {
	t.Helper()
	var want, got [][]any
	result, err := db.Query("SELECT n, s, f, b FROM t ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	for result.Next() {
		columns := make([]any, 4)
		if err := result.Scan(&columns[0], &columns[1], &columns[2], &columns[3]); err != nil {
			t.Fatal(err)
		}
		want = append(want, columns)
	}
	err = Read(t.Context(), path, func(d *Database) error {
		got = nil
		_, err := d.Rows("t", func(_ int64, columns []any) error {
			if n, ok := columns[2].(int64); ok {
				columns[2] = float64(n) // a whole REAL is stored as an integer
			}
			got = append(got, columns)
			return nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || len(want) < 400 {
		t.Errorf("%d rows, want %d; -SQLite +ours:\n%.2000s", len(got), len(want), diff)
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	sound := filepath.Join(dir, "sound.db")
	_ = open(t, sound, "CREATE TABLE t (s)", "INSERT INTO t SELECT hex(randomblob(3000)) FROM (VALUES (1),(2),(3),(4))").Close()
	content, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content, journal []byte
		want             error
	}{
		"empty":              {[]byte{}, nil, ErrForeign},
		"foreign":            {bytes.Repeat([]byte("bolt"), 2000), nil, ErrForeign},
		"short":              {content[:60], nil, ErrForeign},
		"cut":                {content[:len(content)-5000], nil, ErrTorn},
		"page size":          {append(append([]byte(magic), 0x0b, 0xad), content[18:]...), nil, ErrTorn},
		"first page zeroed":  {append(append([]byte{}, content[:100]...), make([]byte, len(content)-100)...), nil, ErrTorn},
		"unfinished journal": {content, []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7rest"), ErrBusy},
		"finished journal":   {content, make([]byte, 512), nil},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if test.journal != nil {
			if err := os.WriteFile(path+"-journal", test.journal, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := rows(t, path, "t"); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, _, err := rows(t, filepath.Join(dir, "nothing"), "t"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := rows(t, pipe, "t"); !errors.Is(err, ErrForeign) {
		t.Errorf("a pipe: %v", err)
	}
}

// A look leaves nothing beside the database, takes no lock that a writer could notice, and does not see what is not committed.
func TestReadDisturbsNobody(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		path := filepath.Join(t.TempDir(), "t.db")
		db := open(t, path, "PRAGMA journal_mode="+mode, "CREATE TABLE t (s)", "INSERT INTO t VALUES ('committed')")
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("INSERT INTO t VALUES ('open')"); err != nil {
			t.Fatal(err)
		}
		got, _, err := rows(t, path, "t")
		seen := err == nil && len(got) == 1
		if mayWait := mode == "DELETE" && errors.Is(err, ErrBusy); !seen && !mayWait {
			t.Errorf("%s, beside an open transaction: %v, %v", mode, got, err)
		}
		if err := tx.Commit(); err != nil {
			t.Errorf("%s: the writer was disturbed: %v", mode, err)
		}
		if got, _, err := rows(t, path, "t"); err != nil || len(got) != 2 {
			t.Errorf("%s, after the commit: %v, %v", mode, got, err)
		}
	}
}

// The time of a change that was just made says nothing of a second one: it may be the same. One that is ahead of the clock does not
// come again soon.
func TestWhatWasJustChangedIsNotSettled(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		inLog bool
		age   time.Duration
		want  bool
	}{{false, 0, true}, {true, 0, false}, {true, tick, false}, {true, -tick, false}, {true, tick + 1, true}, {true, time.Hour, true}, {true, -time.Hour, true}} {
		s := stamp{header: header{inLog: test.inLog}, changed: at.Add(-test.age)}
		if got := s.settled(at); got != test.want {
			t.Errorf("with a log %v, changed %v ago: settled %v", test.inLog, test.age, got)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	_ = open(t, path, "CREATE TABLE t (s)").Close()
	if err := os.WriteFile(path+"-journal", []byte("\xd9\xd5\x05\xf9"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := Read(ctx, path, func(*Database) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want the limit and the cause", err)
	}
}

func FuzzRows(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		f.Fatal(err)
	}
	for _, statement := range []string{"PRAGMA page_size=512", "CREATE TABLE t (n, s)", "INSERT INTO t SELECT 1, hex(randomblob(400)) FROM (VALUES (1),(2),(3),(4),(5))"} {
		if _, err := db.Exec(statement); err != nil {
			f.Fatal(err)
		}
	}
	_ = db.Close()
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:512])
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) < 100 {
			return
		}
		s := stamp{size: int64(len(content)), head: [100]byte(content[:100])}
		h, err := parseHeader(content)
		if err != nil {
			return
		}
		d := &Database{main: bytes.NewReader(content), pageSize: h.pageSize, usable: h.usable, pages: uint32(s.size / int64(h.pageSize))}
		if _, err := d.Rows("t", func(int64, []any) error { return nil }); err != nil && !errors.Is(err, ErrTorn) {
			t.Errorf("an error that does not say torn: %v", err)
		}
	})
}
