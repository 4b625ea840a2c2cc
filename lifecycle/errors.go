package lifecycle

import (
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/text"
)

// What a phase can end with beside its own error. Test with errors.Is.
var (
	// ErrTimeout: the phase passed its deadline.
	ErrTimeout = errors.New("timed out")
	// ErrPanic: the phase panicked, or ended its goroutine.
	ErrPanic = errors.New("panicked")
	// ErrRefusedAddition: the builder would have had to override or remove something.
	ErrRefusedAddition = errors.New("extensions may add, not override")
	// ErrBusy: another operation on the same sandbox, or another process with the same store, is at work.
	ErrBusy = errors.New("in use")
	// ErrUnknownState: no such sandbox or state is stored.
	ErrUnknownState = errors.New("nothing is stored")
)

// PhaseError is the failure of one phase of one extension for one sandbox.
type PhaseError struct {
	Phase     Phase
	Extension string
	Sandbox   Reference
	Err       error
	// CutOff: the phase was ended from outside (time limit, cancellation, panic), so it had no chance to undo its own
	// work.
	CutOff bool
	// Abandoned: the phase ignored its cancellation; its goroutine was left behind and is counted in Chain.Abandoned.
	Abandoned bool
	// Stack is where a panic came from; nil otherwise.
	Stack []byte
}

// Error says which extension failed where, and what became of it.
func (e *PhaseError) Error() string {
	text := fmt.Sprintf("extension %q: %s of sandbox %q: %v", e.Extension, e.Phase, e.Sandbox.label(), e.Err)
	if e.Abandoned {
		text += "; it ignored its cancellation and was left running"
	}
	return text
}

// Unwrap returns the cause.
func (e *PhaseError) Unwrap() error { return e.Err }

// ReleaseError says that a sandbox is gone, as asked, but something could not release what it holds for it. What is
// left is stored, and the next reconcile tries again.
type ReleaseError struct {
	Sandbox Reference
	Err     error
}

// Error says that the sandbox is gone, first.
func (e *ReleaseError) Error() string {
	return fmt.Sprintf("sandbox %q was deleted, but not all that belonged to it was released: %v", e.Sandbox.label(), e.Err)
}

// Unwrap returns the cause.
func (e *ReleaseError) Unwrap() error { return e.Err }

// SchemaError says that stored state has a schema version which the linked extension does not read. Nothing was done to
// the sandbox; the state waits for the operator.
type SchemaError struct {
	Sandbox   Reference
	Extension string
	Version   uint32
	Reads     []uint32
}

// Error names the versions, and the commands that show and clear the state.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("sandbox %q: state of extension %q has schema version %d, this build reads %s; link a build that reads it, "+
		"or look with `sandkeeper extensions state show %[5]s %[6]s` and give it up with `sandkeeper extensions state clear %[5]s %[6]s`",
		e.Sandbox.label(), e.Extension, e.Version, versions(e.Reads), text.ShellWord(e.Sandbox.ID), text.ShellWord(e.Extension))
}

func versions(reads []uint32) string {
	if len(reads) == 0 {
		return "none"
	}
	words := make([]string, len(reads))
	for i, version := range reads {
		words[i] = fmt.Sprint(version)
	}
	return strings.Join(words, ", ")
}

// label is the name people use; the id where there is none.
func (r Reference) label() string {
	if r.Name != "" {
		return r.Name
	}
	return r.ID
}
