package sqlitefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			_ = db.Close()
			stop := writing(t, path, mode)
			defer stop()
			last := int64(0)
			for last == 0 {
				last = copied(t, path) // until the writer has begun
			}
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

// In the environment of this test run again: the database that it writes to until its input ends, and how.
const (
	writerFor = "SANDKEEPER_TEST_WRITE_TO"
	writerHow = "SANDKEEPER_TEST_WRITE_HOW"
)

// TestWriter is no test: it is the program that writes to a database while it is copied, as a gateway does. It must be another
// process, for SQLite's locks are those of a process: one that closes the database once has let go of all of them.
func TestWriter(t *testing.T) {
	path := os.Getenv(writerFor)
	if path == "" {
		t.Skip("the tests that need it run it")
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	db := open(t, path, append(strings.Split(os.Getenv(writerHow), ";"), "PRAGMA synchronous=OFF")...)
	for n := 0; ; n++ {
		select {
		case <-over:
			fmt.Println("transactions:", n)
			return
		default:
		}
		if _, err := db.Exec("UPDATE t SET n = n + 1"); err != nil {
			t.Fatalf("the writer was disturbed: %v", err)
		}
	}
}

// writing has another process change every row of path, again and again, in a mode; stop says how many times.
func writing(t *testing.T, path string, mode []string) (stop func() int) {
	t.Helper()
	writer := exec.Command(os.Args[0], "-test.run=^TestWriter$")
	writer.Env = append(os.Environ(), writerFor+"="+path, writerHow+"="+strings.Join(mode, ";"))
	var said bytes.Buffer
	writer.Stdout, writer.Stderr = &said, &said
	input, err := writer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceValue(func() int {
		_ = input.Close()
		err := writer.Wait()
		var n int
		if _, scanErr := fmt.Sscanf(said.String(), "transactions: %d", &n); err != nil || scanErr != nil {
			t.Errorf("the writer: %v, %v\n%s", err, scanErr, said.String())
		}
		return n
	})
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
