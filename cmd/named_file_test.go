package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// A full disk is the one of the file that was named, not that of the backups.
func TestAFullDiskIsThatOfTheNamedFile(t *testing.T) {
	full := fmt.Errorf("--html: %w", &fs.PathError{Op: "write", Path: "/srv/www/.tmp-1", Err: syscall.ENOSPC})
	f := failureOf(noRoom(full, "/srv/www/status.html"))
	if f.Code != ExitRefused || !strings.Contains(f.Hint, "/srv/www,") || strings.Contains(f.Hint, "--backup-dir") {
		t.Errorf("%+v", f)
	}
	if other := errors.New("other"); noRoom(other, "/srv/www/status.html") != other || noRoom(nil, "") != nil {
		t.Error("another error was changed")
	}
}

// Of two files that cannot be written, both are named.
func TestEveryFileThatCannotBeWrittenIsNamed(t *testing.T) {
	h := newHost(t)
	code, _, stderr := h.run("status", "--offline", "--html", "/nowhere/a.html", "--metrics", "/nowhere/else/a.prom")
	for _, want := range []string{"--html: there is no folder /nowhere", "--metrics: there is no folder /nowhere/else"} {
		if code != ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, without %q: %s", code, want, stderr)
		}
	}
}
