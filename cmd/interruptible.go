package cmd

import (
	"context"
	"io"
)

// interruptible reads what r has, until ctx ends; the error is then the cause of that. Nothing else ends a read from a
// terminal or a pipe that says nothing: a Ctrl-C would go unheard.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out
}
