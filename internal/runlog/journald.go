package runlog

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// JournalSocket is where systemd's journal takes entries with fields (systemd.journal-fields(7), "native journal
// protocol").
const JournalSocket = "/run/systemd/journal/socket"

// ToJournal reports whether f is a stream that the journal reads: JOURNAL_STREAM then holds the file's device and inode
// (systemd.exec(5)). A variable that was inherited from a service does not match a file of our own.
func ToJournal(f *os.File, journalStream string) bool {
	info, err := f.Stat()
	if err != nil || journalStream == "" {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && journalStream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// Priorities of the journal, as a line's prefix says them (sd-daemon(3)).
const (
	PrefixError   = "<3>"
	PrefixWarning = "<4>"
)

// tellLimit is how long a journal that takes nothing just now is waited for.
const tellLimit = 2 * time.Second

// Tell sends the end of a run to the journal, with fields to search by: journalctl SANDKEEPER_COMMAND=backup-all. The
// error wraps os.ErrDeadlineExceeded when the journal takes nothing for two seconds.
func Tell(socket string, r Record) error {
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	priority := "6"
	if r.ExitCode != 0 {
		priority = "3"
	}
	var entry strings.Builder
	for _, field := range [][2]string{
		{"MESSAGE", r.Sentence()},
		{"PRIORITY", priority},
		{"SYSLOG_IDENTIFIER", "sandkeeper"},
		{"SANDKEEPER_COMMAND", r.Command},
		{"SANDKEEPER_EXIT_CODE", fmt.Sprint(r.ExitCode)},
		{"SANDKEEPER_TOOK_MS", fmt.Sprint(r.TookMs)},
		{"SANDKEEPER_ROOT", r.Root},
		{"SANDKEEPER_TOTALS", string(r.Totals)},
	} {
		addField(&entry, field[0], field[1])
	}

	if err := conn.SetWriteDeadline(time.Now().Add(tellLimit)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(entry.String()))
	return err
}

// addField writes a value of several lines with its length before it, as the protocol asks for.
func addField(b *strings.Builder, name, value string) {
	if !strings.Contains(value, "\n") {
		fmt.Fprintf(b, "%s=%s\n", name, value)
		return
	}
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(value)))
	fmt.Fprintf(b, "%s\n%s%s\n", name, size[:], value)
}
