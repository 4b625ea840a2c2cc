package cmd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fatih/color"

	"sandkeeper/internal/runlog"
	"sandkeeper/internal/ui"
)

// ending is how a command has ended.
type ending struct {
	command string // its path without the program: "backups list"
	answer  *answer
	failure *Failure  // nil when nothing went wrong
	began   time.Time // zero for what looks at nothing: help, version
	term    *terminal
}

// tell renders the one answer, then the error, and gives the exit code.
func (e *ending) tell() ExitCode {
	code, f := ExitOK, e.failure
	if f != nil {
		code = f.Code
	}
	if f != nil && code == ExitOK { // somebody said no, which is no error
		fmt.Fprintln(e.term.Err, ui.CleanLines(f.Error()))
		f = nil
	}
	if e.term.json {
		return e.tellJSON(code, f)
	}
	if err := e.printAnswer(); err != nil {
		fmt.Fprintln(e.term.Err, "error: write the result:", err)
		code = max(code, ExitRefused)
	}
	if f != nil && !f.Said {
		fmt.Fprintln(e.term.Err, e.term.priority(runlog.PrefixError)+e.term.paintErr(color.FgRed, "error: ")+ui.CleanLines(f.Error()))
		if f.Hint != "" {
			fmt.Fprintln(e.term.Err, "hint: "+strings.ReplaceAll(ui.CleanLines(f.Hint), "\n", "\n      "))
		}
	}

	return code
}

// printAnswer writes the text form. A result that could not be written was not given: the error is the writer's first
// one.
func (e *ending) printAnswer() error {
	if e.answer == nil || e.answer.text == nil {
		return nil
	}
	out := &faithful{to: e.term.Out}
	streams := *e.term.Streams
	streams.Out = out
	term := *e.term
	term.Streams = &streams
	e.answer.text(&term)
	return out.err
}

func (e *ending) tellJSON(code ExitCode, f *Failure) ExitCode {
	if e.answer == nil && f == nil { // help, completion: they have printed what was asked for
		return code
	}
	if err := writeEnvelope(e.term.Out, e.envelope(code, f)); err != nil {
		fmt.Fprintln(e.term.Err, "error: write the result:", err)
		return max(code, ExitRefused)
	}
	return code
}

// envelope is the result as JSON has it.
func (e *ending) envelope(code ExitCode, f *Failure) envelope {
	v := envelope{Schema: schema, Command: e.command, OK: f == nil, ExitCode: code}
	if f != nil {
		v.Error = &envelopeError{Kind: f.Kind, Message: f.Error(), Hint: f.Hint}
	}
	if e.answer != nil {
		v.Preflight, v.Result = e.answer.preflight, e.answer.result
	}
	return v
}

// faithful remembers the first error of the stream that it writes to.
type faithful struct {
	to  io.Writer
	err error
}

// Write writes on and remembers the first refusal.
func (f *faithful) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	if f.err == nil {
		f.err = err
	}
	return n, err
}
