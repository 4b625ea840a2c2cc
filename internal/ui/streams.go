// Package ui is how sandkeeper talks to a person: streams, tables, progress and questions.
//
// The rule for every line: standard output carries the result and nothing else; standard error carries everything about
// getting it. Words carry the meaning, colour only repeats it. Text from outside passes through Clean before it reaches
// a terminal.
package ui

import (
	"io"

	"sandkeeper/internal/env"
)

// Streams are the only way a command talks to the outside. Terminal facts are decided once, where the process starts.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	InTTY    bool // In is a terminal: somebody may answer
	OutTTY   bool // Out is a terminal: tables may be coloured
	ErrTTY   bool // Err is a terminal that can redraw a line: progress may be drawn
	Width    int  // columns of Err; 0 when unknown
	Env      env.Env
	Args0    string // absolute: this program, as it was called, for what runs it again later; "" in tests that need none
	UID      int    // effective user id
	PID      int
	Journal  bool // systemd's journal reads Err
}

// CanAsk reports whether a question would reach a person who can answer it.
func (s *Streams) CanAsk() bool { return s.InTTY && s.ErrTTY }
