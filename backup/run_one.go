package backup

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"sandkeeper/internal/crash"
	"sandkeeper/sandbox"
)

// one takes one sandbox from the inventory to its outcome. A panic on the way is that sandbox's failure.
func (w *work) one(ctx context.Context, sb sandbox.Sandbox) (o Outcome) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			o = failed(outcomeOf(sb), fmt.Errorf("internal error: %v (%s)", p, crash.Site(debug.Stack())))
		}
		o.TookMs = time.Since(start).Milliseconds()
	}()
	o = outcomeOf(sb)
	switch v := w.judge(sb); {
	case v.status != "":
		o.Status, o.Reason = v.status, v.reason
		return o
	case context.Cause(ctx) != nil:
		return failed(o, interrupted(ctx))
	case w.DryRun:
		o.Status, o.Planned, o.Reason = Skipped, true, dryRunReason(sb)
		return o
	}
	if err := unfinishedRestore(w.Restoring, sb); err != nil {
		return failed(o, err)
	}
	m := newMeter(sb.Name, w.report)
	made, err := w.save(ctx, sb, m)
	m.done(err)
	return w.settle(ctx, o, made, err)
}

// dryRunReason says by which way the home would be read.
func dryRunReason(sb sandbox.Sandbox) string {
	if sb.Route == sandbox.ByExec {
		return "dry run: would be backed up through its gateway"
	}
	return "dry run: would be backed up from its container"
}

func outcomeOf(sb sandbox.Sandbox) Outcome {
	return Outcome{Name: sb.Name, Registered: sb.Registered, Route: string(sb.Route)}
}

// saving is a backup that was made, with what is worth saying about it.
type saving struct {
	backup   Backup
	omitted  []Exclusion
	warnings []string
}

func (w *work) settle(ctx context.Context, o Outcome, made saving, err error) Outcome {
	o.Omitted, o.Warnings = made.omitted, made.warnings
	if made.backup.ID != "" {
		o.Backup = saved(made.backup, len(made.omitted))
	}
	unreachable, cannot := errors.AsType[*UnreachableError](err)
	switch {
	case err == nil:
		o.Status = BackedUp
		return o
	case context.Cause(ctx) != nil && o.Backup == nil:
		return failed(o, errors.Join(interrupted(ctx), notContext(err)))
	case cannot && w.SkipUnreachable:
		o.Status, o.Unreachable = Skipped, true
		o.Reason = unreachable.Error() + "; what changed in it since its last backup is not saved"
		return o
	}
	o.Unreachable = cannot
	return failed(o, err)
}

func failed(o Outcome, err error) Outcome {
	o.Status, o.Reason, o.err = Failed, err.Error(), err
	return o
}

func interrupted(ctx context.Context) error {
	return fmt.Errorf("interrupted before it was saved: %w", context.Cause(ctx))
}

// notContext drops the errors that only repeat that ctx ended, and keeps what else went wrong then, above all a failed unpause.
func notContext(err error) error {
	if errors.Is(err, errThaw) {
		return err
	}
	return nil
}
