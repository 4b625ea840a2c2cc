package cmd

import (
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/term"

	"sandkeeper/internal/env"
	"sandkeeper/internal/runlog"
	"sandkeeper/internal/ui"
)

// SystemStreams binds the process's own files, environment and identity, once. It is the only place that reads them.
func SystemStreams() *ui.Streams {
	self, _ := os.Executable()
	width, _, _ := term.GetSize(int(os.Stderr.Fd()))
	vars := env.Parse(os.Environ())
	return &ui.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())) && vars.Get("TERM") != "dumb",
		Width:  width,
		Env:    vars,
		Args0:  calledAs(os.Args[0], self),
		UID:    os.Geteuid(),
		PID:    os.Getpid(),

		Journal: runlog.ToJournal(os.Stderr, vars.Get("JOURNAL_STREAM")),
	}
}

// calledAs is the absolute path by which this program was called; name is the first word of the command line, self the file that
// runs. The two differ by links, and a link lives longer: Homebrew keeps the file in a folder of that version alone, which the next
// `brew upgrade` removes, and leads its link to the new one. Where name does not lead to self, it is self.
func calledAs(name, self string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return self
	}
	path, err = filepath.Abs(path)
	if err != nil || !sameFile(path, self) {
		return self
	}
	return path
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}
