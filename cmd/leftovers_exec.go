package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandkeeper/backup/restore"
	"sandkeeper/internal/ui"
	"sandkeeper/preflight"
)

// finishExecRestores makes the sandboxes whole in which a restore through their gateway was killed. What cannot be done now is told,
// and done by the next run.
func (a *app) finishExecRestores(ctx context.Context, dir string, mayAsk bool) {
	left, err := restore.InterruptedExecRestores(dir)
	if err != nil {
		a.warn("journal of restores through gateways: %v", err)
	}
	for _, e := range left {
		err := errors.New("this command asks no gateway")
		if mayAsk {
			err = a.finishExecRestore(ctx, dir, e)
		}
		if err != nil {
			a.warn("a restore of backup %s into sandbox %q of gateway %q, begun %s ago, did not end; %s may be half old and half new, and what is missing lies in %s: %v; "+
				"the next run makes it whole", e.Backup, e.Sandbox, e.Gateway, ui.Age(time.Since(e.At)), e.Home, e.Stage, err)
			continue
		}
		fmt.Fprintf(a.Err, "sandbox %s: a restore of backup %s that did not end is %s\n", ui.Clean(e.Sandbox), ui.Clean(e.Backup), howItEnded(e))
	}
}

func howItEnded(e restore.ExecEntry) string {
	if e.Step == restore.ExecConfirmed {
		return "finished: the restored content is in place"
	}
	return "undone: what was there before is in place"
}

// finishExecRestore judges the gateway first, as before anything else that goes through one.
func (a *app) finishExecRestore(ctx context.Context, dir string, e restore.ExecEntry) error {
	one := *a // as if with -g
	one.global.gateway = e.Gateway
	registry, err := one.readRegistry()
	if err != nil {
		return err
	}
	views := one.vet(ctx, preflight.Checking(), one.bindings(registry))
	switch decisive := worst(views); {
	case decisive.seen.Target.Err != nil:
		return decisive.seen.Target.Err
	case decisive.report.Refused():
		return fmt.Errorf("gateway %q is refused by the preflight", e.Gateway)
	}
	cli := one.openshellCLI(views)
	if cli == nil {
		return errors.New("there is no openshell command")
	}
	return restore.FinishExecRestore(ctx, dir, e, cli)
}
