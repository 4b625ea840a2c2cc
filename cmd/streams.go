package cmd

import (
	"os"

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
		Args0:  self,
		UID:    os.Geteuid(),
		PID:    os.Getpid(),

		Journal: runlog.ToJournal(os.Stderr, vars.Get("JOURNAL_STREAM")),
	}
}
