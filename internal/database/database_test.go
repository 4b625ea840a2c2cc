package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// makeDatabase makes a database and gives its only connection.
func makeDatabase(t *testing.T, path string, statements ...string) *sql.DB {
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

// values are what table t holds in a look.
func values(t *testing.T, path string) (got []string, err error) {
	t.Helper()
	err = Look(t.Context(), path, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT s FROM t ORDER BY s")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			got = append(got, s)
		}
		return rows.Err()
	})
	return got, err
}

// listing is every file of a folder with its size, its time of last change and its content.
func listing(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		content, readErr := os.ReadFile(filepath.Join(dir, e.Name()))
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%s %s %x", e.Name(), info.ModTime().Format(time.RFC3339Nano), content))
	}
	return found
}

// crash makes dir what a process leaves that is killed while it writes to a database in journal mode: its files are copied in the
// middle of the transaction, after SQLite has put a part of it into the database.
func crash(t *testing.T, dir, mode string) (path string) {
	t.Helper()
	live := filepath.Join(t.TempDir(), "t.db")
	db := makeDatabase(t, live, "PRAGMA journal_mode="+mode, "CREATE TABLE t (s, filler)",
		"INSERT INTO t SELECT 'committed', zeroblob(3000) FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8)), (VALUES (1),(2),(3),(4),(5),(6),(7),(8)), (VALUES (1),(2),(3),(4),(5),(6),(7),(8))", "PRAGMA cache_size=2")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("UPDATE t SET s = 'open', filler = zeroblob(2999)"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		content, err := os.ReadFile(live + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if suffix == journalSuffix && !strings.HasPrefix(string(content), journalMagic) {
			t.Fatalf("%s: SQLite has put nothing into the database yet", mode)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "t.db"+suffix), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "t.db")
}

// A look sees the last transaction and leaves nothing: the files beside the database are those that were there, to the last byte.
func TestLookChangesNothing(t *testing.T) {
	for _, mode := range []string{"DELETE", "PERSIST", "WAL"} {
		dir := t.TempDir()
		path := crash(t, dir, mode)
		before := listing(t, dir)
		if _, err := os.Stat(path + "-journal"); mode != "WAL" && err != nil {
			t.Fatalf("%s: the crash left no journal: %v", mode, err)
		}
		got, err := values(t, path)
		if err != nil || len(got) != 512 || slices.Contains(got, "open") {
			t.Errorf("%s: the look has %v, %v; want 512 times committed", mode, got, err)
		}
		if after := listing(t, dir); !slices.Equal(after, before) {
			t.Errorf("%s: the look changed the folder: %d files before, %d after", mode, len(before), len(after))
		}
	}
}

func TestLookDisturbsNoWriter(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		path := filepath.Join(t.TempDir(), "t.db")
		db := makeDatabase(t, path, "PRAGMA journal_mode="+mode, "CREATE TABLE t (s)", "INSERT INTO t VALUES ('committed')")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("INSERT INTO t VALUES ('open')"); err != nil {
			t.Fatal(err)
		}
		if got, err := values(t, path); err != nil || !slices.Equal(got, []string{"committed"}) {
			t.Errorf("%s, beside an open transaction: %v, %v", mode, got, err)
		}
		if err := tx.Commit(); err != nil {
			t.Errorf("%s: the writer was disturbed: %v", mode, err)
		}
		if got, err := values(t, path); err != nil || len(got) != 2 {
			t.Errorf("%s, after the commit: %v, %v", mode, got, err)
		}
	}
}

func TestLookSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	sound := filepath.Join(dir, "sound.db")
	_ = makeDatabase(t, sound, "CREATE TABLE t (s)", "INSERT INTO t SELECT hex(randomblob(3000)) FROM (VALUES (1),(2),(3),(4))").Close()
	content, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":   {nil, "no such table"},
		"foreign": {[]byte(strings.Repeat("bolt", 2000)), "not a database"},
		"cut":     {content[:len(content)-5000], "malformed"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := values(t, path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if _, err := Save(t.Context(), path); name != "cut" && err == nil {
			t.Errorf("%s: it was saved as a database", name)
		}
	}
	if _, err := values(t, filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := values(t, pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}

// A copy whose files changed between the two reads is none, also where each file is sound by itself.
func TestSnapshotIsOneState(t *testing.T) {
	ctx := t.Context()
	for name, change := range map[string]func(path string) error{
		"database written":  func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) },
		"database longer":   func(path string) error { return appendTo(path, "x") },
		"log begun again":   func(path string) error { return os.WriteFile(path+"-wal", []byte("again"), 0o600) },
		"log gone":          func(path string) error { return os.Remove(path + "-wal") },
		"journal appeared":  func(path string) error { return os.WriteFile(path+"-journal", nil, 0o600) },
		"nothing (control)": func(string) error { return nil },
		"log longer (fine)": func(path string) error { return appendTo(path+"-wal", "x") },
	} {
		path := filepath.Join(t.TempDir(), "t.db")
		s := snapshot{path: filepath.Join(t.TempDir(), "copy.db")}
		for _, suffix := range []string{"", "-wal"} {
			if err := os.WriteFile(path+suffix, []byte("first"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		between := &changing{Context: ctx, change: func() error { return change(path) }}
		err := s.fill(between, path)
		fine := strings.HasSuffix(name, ")")
		if between.err != nil || between.asked < 5 || fine != (err == nil) || !fine && !errors.Is(err, errBusy) {
			t.Errorf("%s: %v (%v)", name, err, between.err)
		}
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// changing is a context that makes a change when the second reading begins: two files are read in two steps each before that.
type changing struct {
	context.Context
	asked  int
	change func() error
	err    error
}

// Err is asked before every step.
func (c *changing) Err() error {
	if c.asked++; c.asked == 5 {
		c.err = c.change()
	}
	return c.Context.Err()
}

func TestCopyEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	_ = makeDatabase(t, path, "CREATE TABLE t (s)").Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Look(ctx, path, func(context.Context, *sql.DB) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a look in a run that was interrupted: %v", err)
	}
	if _, err := Save(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a copy in a run that was interrupted: %v", err)
	}
}

// TestTheCopyOfAKilledRunIsRemoved: it holds what the gateway keeps secret.
func TestTheCopyOfAKilledRunIsRemoved(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	path := filepath.Join(t.TempDir(), "t.db")
	_ = makeDatabase(t, path, "CREATE TABLE t (s)").Close()
	killed := filepath.Join(temporary, scratchPrefix+"1")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "copy.db"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Look(t.Context(), path, func(context.Context, *sql.DB) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
}

// A transaction that nobody will end is saved as it lies, also while a process has the database open. Who opens the copy next has the
// state from before it.
func TestSaveKeepsAnUnfinishedTransaction(t *testing.T) {
	for _, held := range []bool{false, true} {
		dir := t.TempDir()
		path := crash(t, dir, "DELETE")
		before := listing(t, dir)
		if held {
			holder, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer holder.Close()
		}
		saved, err := Save(t.Context(), path)
		if err != nil || saved.Journal == nil {
			t.Fatalf("held %v: the journal is not saved: %v", held, err)
		}
		defer saved.Close()
		copied := filepath.Join(t.TempDir(), "copy.db")
		writeAll(t, copied, saved.Main)
		writeAll(t, copied+"-journal", saved.Journal)
		var open int
		if err := makeDatabase(t, copied).QueryRow("SELECT count(*) FROM t WHERE s = 'open'").Scan(&open); err != nil || open != 0 {
			t.Errorf("held %v: the copy has %d rows of the unfinished transaction: %v", held, open, err)
		}
		if after := listing(t, dir); !slices.Equal(after, before) {
			t.Errorf("held %v: saving changed the folder: %d files before, %d after", held, len(before), len(after))
		}
	}
}

func writeAll(t *testing.T, path string, from io.Reader) {
	t.Helper()
	content, err := io.ReadAll(from)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
