package runlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func record(n int) Record {
	return Record{At: time.Date(2026, 11, 26, 2, 30, 0, n, time.UTC), Command: "backup-all", ExitCode: n, Error: strings.Repeat("x", 400), TookMs: 61_000}
}

// Every run of several that end at once is in the history, whole, and the newest comes first.
func TestHistoryKeepsEveryRun(t *testing.T) {
	path := File(t.TempDir())
	if got, err := Read(path); err != nil || got != nil {
		t.Errorf("no history: %v, %v", got, err)
	}
	var runs sync.WaitGroup
	for n := range 20 {
		runs.Go(func() {
			if err := Append(path, record(n)); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	if err := Append(path, record(99)); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || len(got) != 21 || got[0].ExitCode != 99 {
		t.Errorf("%d runs, %v", len(got), err)
	}
}

// A run whose line was cut off, by a full disk for instance, does not take the next one with it.
func TestATornLineCostsNoOtherRun(t *testing.T) {
	path := File(t.TempDir())
	if err := Append(path, record(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, record(2)); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || len(got) != 1 || got[0].ExitCode != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A history does not grow for ever, and what is cut off is the oldest.
func TestHistoryIsBounded(t *testing.T) {
	path := File(t.TempDir())
	for n := range 3000 {
		if err := Append(path, record(n)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(path)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || info.Size() > historyLimit || len(got) < 500 || got[0].ExitCode != 2999 {
		t.Fatalf("%d runs in %v, %v %v", len(got), info, err, statErr)
	}
	for i, r := range got {
		if r.ExitCode != 2999-i {
			t.Fatalf("run %d is %d: the order broke", i, r.ExitCode)
		}
	}
}

// A link in the history's place, or a folder that others can write to, gets nothing.
func TestHistoryOfAnotherIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), File(dir)
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Mkdir(filepath.Dir(path), 0o700), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, record(1)); err == nil {
		t.Error("a link was followed")
	}
	if content, _ := os.ReadFile(target); len(content) > 0 {
		t.Errorf("written through a link: %s", content)
	}
	if err := errors.Join(os.Remove(path), os.Chmod(filepath.Dir(path), 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, record(1)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a folder that others can write to: %v", err)
	}
}

// Root with somebody's HOME makes no folder there: its owner could not write to it any more.
func TestRootMakesNothingInAnothersHome(t *testing.T) {
	home := t.TempDir()
	if err := os.Chown(home, 12345, 12345); err != nil {
		t.Skipf("only root can give a folder away: %v", err)
	}
	if err := Append(File(filepath.Join(home, ".local", "state")), record(1)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

// Lines of a log are whole JSON objects, also when several runs write one file.
func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	for n := range 2 {
		l, err := OpenLines(path, "backup-all")
		if err != nil {
			t.Fatal(err)
		}
		l.Warn("a disk is nearly full")
		l.Stage("alpha", "reading", nil)
		l.Stage("alpha", "reading", nil)
		if err := l.End(record(n)); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for text := range strings.Lines(string(content)) {
		var entry line
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		said = append(said, entry.Event+"/"+entry.Level)
	}
	once := "begin/info warning/warning stage/info end/"
	if got, want := strings.Join(said, " "), once+"info "+once+"error"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var none *Lines
	none.Warn("nobody listens")
	if err := none.End(record(0)); err != nil {
		t.Error(err)
	}
}

// The journal gets fields of its own protocol, a value of several lines with its length.
func TestTell(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "journal")
	listener, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r := record(3)
	r.Error = "two\nlines"
	if err := Tell(socket, r); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1<<16)
	n, _, err := listener.ReadFrom(buffer)
	message := "backup-all ended with exit code 3 after 1m1s: two\nlines"
	want := fmt.Sprintf("MESSAGE\n%c\x00\x00\x00\x00\x00\x00\x00%s\nPRIORITY=3\nSYSLOG_IDENTIFIER=sandkeeper\nSANDKEEPER_COMMAND=backup-all\nSANDKEEPER_EXIT_CODE=3\n", len(message), message)
	if err != nil || !strings.HasPrefix(string(buffer[:n]), want) {
		t.Errorf("got %q, %v\nwant %q", buffer[:n], err, want)
	}
}

// A journal that takes nothing does not hold up the end of a run.
func TestTellGivesUp(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	deaf, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	full := errors.New("nothing was sent")
	for range 100_000 { // its queue is a setting of the system (net.unix.max_dgram_qlen)
		if full = Tell(socket, Record{Command: "backup-all"}); full != nil {
			break
		}
	}
	if !errors.Is(full, os.ErrDeadlineExceeded) {
		t.Errorf("Tell = %v, want that it gave up", full)
	}
}

func TestToJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, stream := range []string{"", "1:2", "nonsense"} {
		if ToJournal(file, stream) {
			t.Errorf("%q is this file", stream)
		}
	}
}
