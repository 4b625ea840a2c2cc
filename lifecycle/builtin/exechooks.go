package builtin

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
)

// outputLimit is how much of what a command printed goes into the audit log, in characters.
const outputLimit = 4096

// What a failed command means.
const (
	abortOnFailure  = "abort"
	ignoreOnFailure = "ignore"
)

// ExecHooks runs commands in every running sandbox around its backup, so that what works in it can come to rest:
//
//	[compute.extension."exec-hooks"]
//	before = ["/bin/sh", "-c", "pg_ctl stop -m fast"]   # before the pause
//	after = ["/bin/sh", "-c", "pg_ctl start"]           # when the backup has ended, in whatever way
//	on_failure = "abort"                                # or "ignore"
//	timeout = "45s"                                     # of each command
//
// A command is a list of words and gets no shell. With "abort" a command that fails before lets the backup of this
// sandbox fail, and one that fails after is run again by the next run.
func ExecHooks() lifecycle.Definition {
	return lifecycle.Define("exec-hooks", "runs commands in a sandbox before and after its backup", nil, newExecHooks)
}

type hooksConfig struct {
	Before    []string `toml:"before"`
	After     []string `toml:"after"`
	OnFailure string   `toml:"on_failure"`
}

type execHooks struct {
	lifecycle.Defaults
	before, after []string
	ignore        bool
}

func newExecHooks(c hooksConfig) (lifecycle.Extension, error) {
	if len(c.Before) == 0 && len(c.After) == 0 {
		return nil, lifecycle.BadValue("before", "give a command to run before a backup, or one to run after it")
	}
	for key, command := range map[string][]string{"before": c.Before, "after": c.After} {
		if len(command) > 0 && command[0] == "" {
			return nil, lifecycle.BadValue(key, "the first word is the program, and it is empty")
		}
	}

	switch c.OnFailure {
	case "", abortOnFailure, ignoreOnFailure:
	default:
		return nil, lifecycle.BadValue("on_failure", "%q is neither %q nor %q", c.OnFailure, abortOnFailure, ignoreOnFailure)
	}
	return &execHooks{before: c.Before, after: c.After, ignore: c.OnFailure == ignoreOnFailure}, nil
}

// BeforeBackup runs the command that brings the sandbox to rest.
func (h *execHooks) BeforeBackup(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	return nil, h.run(ctx, h.before)
}

// AfterBackup runs the command that lets the sandbox go on. In a sandbox that is gone there is nothing to run.
func (h *execHooks) AfterBackup(ctx context.Context, sandbox lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	if sandbox.Presence == lifecycle.Missing {
		return nil, nil
	}
	return nil, h.run(ctx, h.after)
}

// run executes one command and audits it with what it printed, which may be anything: it goes into no manifest and no
// error.
func (h *execHooks) run(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return nil
	}
	output, err := execute(ctx, command)
	details := map[string]string{"command": text.OneLine(fmt.Sprintf("%q", command), outputLimit), "output": text.OneLine(output, outputLimit)}
	severity, message := lifecycle.SeverityInformational, "hook ran in the sandbox"
	if err != nil {
		severity, message = lifecycle.SeverityMedium, "hook failed in the sandbox"
		details["error"] = text.OneLine(err.Error(), outputLimit)
	}
	lifecycle.Emit(ctx, severity, message, details)
	if h.ignore {
		return nil
	}
	return err
}

// execute gives the command nine tenths of the phase's time: what becomes of a command that is cut off is decided here,
// as for any other that fails, and not by the chain. In the sandbox it may run on.
func execute(ctx context.Context, command []string) (string, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Until(deadline)*9/10, lifecycle.ErrTimeout)
		defer cancel()
	}

	output, err := lifecycle.Exec(ctx, command...)
	if ctx.Err() != nil {
		err = fmt.Errorf("%q: %w", command[0], context.Cause(ctx))
	}
	return output, err
}

// BeforeCreate has nothing to do: a backup does not create.
func (*execHooks) BeforeCreate(context.Context, lifecycle.Sandbox, *lifecycle.Builder) (*lifecycle.State, error) {
	return nil, nil
}

// AfterCreateFailed has nothing to undo.
func (*execHooks) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// AfterDelete has nothing to release.
func (*execHooks) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// Reconcile has nothing to compare.
func (*execHooks) Reconcile(context.Context, lifecycle.Sandbox, *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	return lifecycle.ReconcileOutcome{}, nil
}
