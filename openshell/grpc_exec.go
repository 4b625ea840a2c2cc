package openshell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"sandkeeper/openshell/wire"
)

// execOutputLimit is how much a command may print.
const execOutputLimit = 16 << 20

// ExecSandbox runs a command in a sandbox as the CLI's `sandbox exec` does, through a login shell, and returns its
// standard output and exit status; ctx is its only time limit. The CLI writes the sandbox's name into its
// configuration, as the one that a command without a name means from then on (gateways/<gateway>/last_sandbox,
// docs/facts/openshell.md 1.4); this leaves no trace on this host.
func (a *API) ExecSandbox(ctx context.Context, id, name string, argv []string) (stdout []byte, exit int, err error) {
	if err := a.writable(); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	fail := func(err error) ([]byte, int, error) {
		quiet := &silence{op: "ExecSandbox", limit: time.Since(began).Round(time.Millisecond)}
		return nil, 0, a.failure(ctx, call{op: "ExecSandbox", object: name, quiet: quiet}, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := a.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+"ExecSandbox")
	if err != nil {
		return fail(err)
	}
	request := message(a.version.ExecSandbox(id, name, a.workspace, argv))
	if err := errors.Join(events.SendMsg(&request), events.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	for {
		var answer message
		if err := events.RecvMsg(&answer); errors.Is(err, io.EOF) {
			return nil, 0, fmt.Errorf("gateway %q: ExecSandbox of %q ended without saying how the command did", a.Gateway, a.Address(name))
		} else if err != nil {
			return fail(err)
		}

		event, err := wire.ReadExecEvent(answer)
		switch stdout = append(stdout, event.Stdout...); {
		case err != nil:
			return nil, 0, a.decoded("ExecSandbox", err)
		case event.Exited:
			return stdout, event.Exit, nil
		case len(stdout) > execOutputLimit:
			return nil, 0, fmt.Errorf("the command %q in sandbox %q prints too much", argv, a.Address(name))
		}
	}
}
