package restore

import (
	"context"
	"fmt"
	"slices"

	"sandkeeper/backup/home"
)

// InterruptedExecRestores are the restores through a gateway, by the journal in dir (see RestoringDir), whose process is dead. It
// asks no gateway.
func InterruptedExecRestores(dir string) ([]ExecEntry, error) {
	entries, err := execJournalIn(dir).records().List()
	return slices.DeleteFunc(entries, ExecEntry.ownerLives), err
}

// FinishExecRestore makes the sandbox of a killed restore whole: with the content from before where the new one was not confirmed,
// with the new one where it was. Nothing of the restore is left in it then. It may be repeated, also after it was killed itself.
func FinishExecRestore(ctx context.Context, dir string, entry ExecEntry, cli home.Execer) error {
	p := &execPlace{home.ExecHome{Cli: cli, Gateway: entry.Gateway, Space: entry.Workspace, Name: entry.Sandbox, Dir: entry.Home}}
	if err := p.finish(ctx, entry); err != nil {
		return fmt.Errorf("sandbox %q, in which a restore did not end, is not whole: %w", entry.Sandbox, err)
	}
	return execJournalIn(dir).remove(entry)
}

func (p *execPlace) finish(ctx context.Context, e ExecEntry) error {
	if err := p.shell(ctx, scriptSettled, e.Stage, nil); err != nil {
		return err
	}
	switch e.Step {
	case ExecSwapping:
		if err := p.back(ctx, e); err != nil {
			return err
		}
	case ExecConfirmed:
		for names := range slices.Chunk(e.Carry, namesAtOnce) {
			if err := p.shell(ctx, scriptCarryAll, e.Stage, nil, names...); err != nil {
				return err
			}
		}
	}
	return p.shell(ctx, scriptDrop, e.Stage, nil)
}

// back puts the old content back.
func (p *execPlace) back(ctx context.Context, e ExecEntry) error {
	if len(e.Names) == 0 {
		return p.shell(ctx, scriptBackAll, e.Stage, nil)
	}
	return p.shell(ctx, scriptBackSome, e.Stage, nil, e.Names...)
}

// takeOver finishes what a killed restore left in the sandbox before another one begins.
func (p *execPlace) takeOver(ctx context.Context, j *restoreJob) error {
	if j.Journal == "" {
		return nil
	}
	journal := execJournalIn(j.Journal)
	left, found, err := journal.records().Get(home.ExecKey(p.Gateway, p.Name))
	if err != nil || !found {
		return err
	}
	if left.ownerLives() {
		return fmt.Errorf("sandbox %q is being restored by process %d", left.Sandbox, left.PID)
	}
	return FinishExecRestore(ctx, j.Journal, left, p.Cli)
}
