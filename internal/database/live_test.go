package database

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSaveOfALiveDatabaseIsOneState saves while a writer changes every row in each of its transactions: in every copy all rows
// are equal, and SQLite finds the copy sound.
func TestSaveOfALiveDatabaseIsOneState(t *testing.T) {
	for name, mode := range map[string][]string{
		"rollback":         {"PRAGMA journal_mode=DELETE"},
		"kept journal":     {"PRAGMA journal_mode=PERSIST"},
		"log":              {"PRAGMA journal_mode=WAL"},
		"log, checkpoints": {"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=20"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.db")
			db := makeDatabase(t, path, append(mode, "PRAGMA synchronous=OFF", "CREATE TABLE t (n, filler)")...)
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
			if len(OpenedBy(path)) == 0 && runtime.GOOS == "linux" {
				t.Error("it is not seen that a process has the database open")
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

// TestWriter is no test: it is the program that writes to a database while it is saved, as a gateway does. It must be another
// process: SQLite's locks are those of a process, and the first one that closes the database lets go of all of them.
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
	db := makeDatabase(t, path, append(strings.Split(os.Getenv(writerHow), ";"), "PRAGMA synchronous=OFF")...)
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
	saved, err := Save(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	copied := filepath.Join(t.TempDir(), "copy.db")
	writeAll(t, copied, saved.Main)
	db := makeDatabase(t, copied)
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
