package cmd

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/backup/gatewaystate"
	"sandkeeper/gateway"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
)

// takeBackGatewayStates undoes restores of gateways' state that were killed, so that no gateway is started on half of
// one. Under a gateway that runs nothing is moved.
func (l *leftovers) takeBackGatewayStates(ctx context.Context, dir string) {
	found, left := gatewaystate.Recover(ctx, journal.StateRestores(dir), l.stopped)
	l.tellLeftAlone("a restore of a gateway's state", left)
	for _, i := range found {
		switch {
		case i.Err != nil && i.Placing:
			l.term.warn("a restore of backup %s of the state of gateway %q, begun %s ago, did not end: its files may be half old and half new: %v; stop the gateway, then run any command: it takes the restore back",
				i.Backup, i.Gateway, ui.Age(time.Since(i.At)), i.Err)
		case i.Err != nil:
			l.term.warn("a restore of backup %s of the state of gateway %q was killed before it changed anything, and left files: %v; it is tried again by the next run", i.Backup, i.Gateway, i.Err)
		default:
			l.term.cleared.note(true, false)
			fmt.Fprintf(l.term.Err, "gateway %s: a restore of backup %s of its state that was killed is undone: what was there before is in place\n", ui.Clean(i.Gateway), ui.Clean(i.Backup))
		}
	}
}

// stopped says why the gateway of that name may be running.
func (l *leftovers) stopped(ctx context.Context, name string) error {
	options := l.host.Options(sandbox.Binding{})
	options.Gateway = name
	return gateway.CheckStopped(ctx, options, gateway.ChooseTarget(ctx, options))
}
