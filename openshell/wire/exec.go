package wire

import "fmt"

// ExecSandbox is the request to run a command in a sandbox: by the sandbox's id, since 0.1.0 by its name.
func (v Version) ExecSandbox(id, name, workspace string, argv []string) []byte {
	var b builder
	if v.Generation == Timestamps {
		b.text(execSandbox, name)
	} else {
		b.text(execSandbox, id)
	}

	for _, arg := range argv {
		b.embed(execCommand, []byte(arg))
	}
	if v.Generation == Timestamps {
		v.scope(&b, execScope, execScope, workspace)
	}
	return b
}

// ExecEvent is one event of a command that runs in a sandbox.
type ExecEvent struct {
	Stdout, Stderr []byte
	Exited         bool
	Exit           int // where it Exited
}

// ReadExecEvent reads an ExecSandboxEvent.
func ReadExecEvent(b []byte) (ExecEvent, error) {
	e, err := readExecEvent(b)
	if err != nil {
		return ExecEvent{}, fmt.Errorf("ExecSandboxEvent: %w", err)
	}
	return e, nil
}

func readExecEvent(b []byte) (ExecEvent, error) {
	var e ExecEvent
	m, err := Parse(b)
	if err != nil {
		return e, err
	}
	stdout, err := m.Sub(eventStdout)
	if err != nil {
		return e, err
	}
	if e.Stdout, err = stdout.Content(eventData); err != nil {
		return e, err
	}
	stderr, err := m.Sub(eventStderr)
	if err != nil {
		return e, err
	}
	if e.Stderr, err = stderr.Content(eventData); err != nil {
		return e, err
	}
	exit, err := m.Sub(eventExit)
	if err != nil {
		return e, err
	}
	code, err := exit.Number(exitCode)
	e.Exited, e.Exit = m.Has(eventExit), int(int32(code)) //nolint:gosec // an int32 is encoded as a varint of 64 bits
	return e, err
}
