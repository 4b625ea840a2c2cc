package backup

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/internal/crash"
	"sandkeeper/internal/tracing"
	"sandkeeper/sandbox"
)

// one takes one sandbox from the inventory to its outcome. A panic on the way is that sandbox's failure.
func (w *run) one(ctx context.Context, sb sandbox.Sandbox) (o Outcome) {
	start := time.Now()
	ctx, span := tracing.Start(ctx, "backup_sandbox", attribute.String("openshell.sandbox.name", sb.Name))
	defer func() { tracing.End(span, o.err) }()
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
		o.Status, o.Planned, o.Reason = store.Skipped, true, dryRunReason(sb)
		return o
	}

	if err := w.unfinished(sb); err != nil {
		return failed(o, err)
	}
	m := home.NewMeter(sb.Address(), w.report)
	made, err := w.atRest(ctx, sb, m)
	m.Done(err)
	return w.settle(ctx, o, made, err)
}

// atRest saves a sandbox between bringing what works in it to rest and letting it go on. That it could not go on takes
// nothing away from the backup; it is a warning.
func (w *run) atRest(ctx context.Context, sb sandbox.Sandbox, m *home.Meter) (made saving, err error) {
	if w.Quiesce == nil || !works(sb) {
		return w.save(ctx, sb, m)
	}
	resume, err := w.Quiesce(ctx, sb)
	if err != nil {
		return saving{}, fmt.Errorf("it was not brought to rest, so it was not read: %w", err)
	}
	defer func() {
		if err := resume(context.WithoutCancel(ctx)); err != nil {
			made.warnings = append(made.warnings, fmt.Sprintf("after its backup: %v; the next run tries again", err))
		}
	}()
	return w.save(ctx, sb, m)
}

// works reports whether anything runs in the sandbox that could be asked to rest.
func works(sb sandbox.Sandbox) bool {
	if sb.Route == sandbox.ByExec {
		return true
	}
	return sb.Container != nil && sb.Container.Running()
}

func (w *run) unfinished(sb sandbox.Sandbox) error {
	if w.Unfinished == nil {
		return nil
	}
	return w.Unfinished(sb)
}

// dryRunReason says by which way the home would be read.
func dryRunReason(sb sandbox.Sandbox) string {
	if sb.Route == sandbox.ByExec {
		return "dry run: would be backed up through its gateway"
	}
	return "dry run: would be backed up from its container"
}

func outcomeOf(sb sandbox.Sandbox) Outcome {
	return Outcome{Name: sb.Name, Gateway: sb.Gateway, Workspace: sb.Workspace, Registered: sb.Registered, Route: string(sb.Route)}
}

// saving is a backup that was made, with what is worth saying about it.
type saving struct {
	backup   store.Backup
	omitted  []archive.Exclusion
	warnings []string
	cutLive  bool // the stream of a sandbox that went on broke off
}

func (w *run) settle(ctx context.Context, o Outcome, made saving, err error) Outcome {
	o.Omitted, o.Warnings = made.omitted, made.warnings
	if made.backup.ID != "" {
		o.Backup = store.SavedOf(made.backup, len(made.omitted))
	}
	unreachable, cannot := errors.AsType[*home.UnreachableError](err)
	switch {
	case err == nil:
		o.Status = store.BackedUp
		return o
	case context.Cause(ctx) != nil && o.Backup == nil:
		return failed(o, errors.Join(interrupted(ctx), notContext(err)))
	case cannot && w.SkipUnreachable:
		o.Status, o.Unreachable = store.Skipped, true
		o.Reason = unreachable.Error() + "; what changed in it since its last backup is not saved"
		return o
	}

	o.Unreachable = cannot
	return failed(o, err)
}

func failed(o Outcome, err error) Outcome {
	o.Status, o.Reason, o.err = store.Failed, err.Error(), err
	return o
}

func interrupted(ctx context.Context) error {
	return fmt.Errorf("interrupted before it was saved: %w", context.Cause(ctx))
}

// notContext drops the errors that only repeat that ctx ended, and keeps what else went wrong then, above all a failed
// unpause.
func notContext(err error) error {
	if errors.Is(err, home.ErrThaw) {
		return err
	}
	return nil
}
