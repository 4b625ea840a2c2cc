package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandkeeper/backup/restore"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/ui"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// finishExecRestores makes the sandboxes whole in which a restore through their gateway was killed. What cannot be done
// now is told, and done by the next run.
func (l *leftovers) finishExecRestores(ctx context.Context, dir string, mayAsk bool) {
	for record, err := range journal.ExecRestores(dir).Abandoned() {
		if err != nil {
			l.tellLeftAlone("a restore through a gateway", []error{err})
			continue
		}
		e := record.Value
		err := errors.New("this command asks no gateway")
		if mayAsk {
			err = l.finishExecRestore(ctx, record)
		}
		if err != nil {
			l.term.warn("a restore of backup %s into sandbox %q of gateway %q, begun %s ago, did not end; %s may be half old and half new, and what is missing lies in %s: %v; "+
				"the next run makes it whole", e.Backup, sandbox.Address(e.Workspace, e.Sandbox), e.Gateway, ui.Age(time.Since(e.At)), e.Home, e.Stage, err)
			continue
		}

		l.term.cleared.note(true, true)
		fmt.Fprintf(l.term.Err, "sandbox %s: a restore of backup %s that did not end is %s\n", ui.Clean(sandbox.Address(e.Workspace, e.Sandbox)), ui.Clean(e.Backup), howItEnded(e))
	}
}

func howItEnded(e journal.ExecRestore) string {
	if e.Step == journal.ExecConfirmed {
		return "finished: the restored content is in place"
	}
	return "undone: what was there before is in place"
}

// finishExecRestore judges the gateway first, as before anything else that goes through one.
func (l *leftovers) finishExecRestore(ctx context.Context, record *journal.Record[journal.ExecRestore]) error {
	host := l.host.On(record.Value.Gateway)
	registry, err := host.Registry()
	if err != nil {
		return err
	}
	gateways := host.Judge(ctx, preflight.Checking(), host.Bindings(registry))
	if err := gateways.Gate(preflight.Checking(), true); err != nil {
		return err
	}
	cli := host.CLI(gateways)
	if cli == nil {
		return errors.New("there is no openshell command")
	}
	return restore.FinishExecRestore(ctx, record, cli)
}
