package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// ExecOutputLimit is how many bytes of a command's standard output Exec accepts.
const ExecOutputLimit = 16 << 20

// Exec runs argv in a running container, without standard input, and returns its standard output and exit status. The
// caller's ctx is its only time limit for as long as the command runs. A command that prints more than ExecOutputLimit
// is an error.
func (e *Engine) Exec(ctx context.Context, id string, argv []string) (stdout []byte, exit int, err error) {
	run, err := e.execID(ctx, id, argv)
	if err == nil {
		stdout, err = e.output(ctx, run)
	}
	if err == nil {
		exit, err = e.exitOf(ctx, run)
	}
	if err != nil {
		return nil, -1, fmt.Errorf("running %q in container %q: %w", argv, id, e.explain(ctx, err))
	}
	return stdout, exit, nil
}

func (e *Engine) execID(ctx context.Context, id string, argv []string) (string, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	made, err := e.client.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	return made.ID, e.explain(ctx, err)
}

func (e *Engine) output(ctx context.Context, run string) ([]byte, error) {
	attached, err := e.attach(ctx, run)
	if err != nil {
		return nil, err
	}
	defer attached.Close()
	// The connection knows nothing of ctx once it is ours.
	defer context.AfterFunc(ctx, attached.Close)()

	out := &bytes.Buffer{}
	_, err = stdcopy.StdCopy(&room{to: out, left: ExecOutputLimit}, io.Discard, attached.Reader)
	return out.Bytes(), err
}

// attach starts the command and takes over its connection. The client does not heed ctx while it waits for the daemon
// to hand the connection over; a connection that comes after all is closed.
func (e *Engine) attach(ctx context.Context, run string) (types.HijackedResponse, error) {
	type handed struct {
		types.HijackedResponse
		err error
	}
	over := make(chan handed, 1)
	go func() {
		attached, err := e.client.ContainerExecAttach(ctx, run, container.ExecAttachOptions{})
		over <- handed{attached, err}
	}()
	select {
	case h := <-over:
		return h.HijackedResponse, h.err
	case <-ctx.Done():
	}

	go func() {
		if h := <-over; h.err == nil {
			h.Close()
		}
	}()
	return types.HijackedResponse{}, context.Cause(ctx)
}

func (e *Engine) exitOf(ctx context.Context, run string) (int, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	inspected, err := e.client.ContainerExecInspect(ctx, run)
	if err == nil && inspected.Running {
		err = fmt.Errorf("its output ended but it still runs")
	}
	return inspected.ExitCode, e.explain(ctx, err)
}

// room is a writer that refuses the byte after the last one it has room for.
type room struct {
	to   io.Writer
	left int
}

// Write takes all of p or, when it does not fit, nothing of it.
func (r *room) Write(p []byte) (int, error) {
	if len(p) > r.left {
		return 0, fmt.Errorf("it printed more than %d bytes", ExecOutputLimit)
	}
	r.left -= len(p)
	return r.to.Write(p)
}
