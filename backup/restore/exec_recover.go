package restore

import (
	"context"
	"fmt"
	"slices"

	"sandkeeper/backup/home"
	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// FinishExecRestore makes the sandbox of a killed restore whole: with the content from before where the new one was not
// confirmed, with the new one where it was. Nothing of the restore is left in it then, and the record is gone. It may
// be repeated, also after it was killed itself.
func FinishExecRestore(ctx context.Context, record *journal.Record[journal.ExecRestore], cli home.Execer) error {
	left := record.Value
	p := &execPlace{home.ExecHome{Cli: cli, Gateway: left.Gateway, Space: left.Workspace, Name: left.Sandbox, Dir: left.Home}}
	if err := p.finish(ctx, left); err != nil {
		return fmt.Errorf("sandbox %q, in which a restore did not end, is not whole: %w", sandbox.Address(left.Workspace, left.Sandbox), err)
	}
	return record.Remove()
}

func (p *execPlace) finish(ctx context.Context, e journal.ExecRestore) error {
	if err := p.shell(ctx, scriptSettled, e.Stage, nil); err != nil {
		return err
	}
	switch e.Step {
	case journal.ExecSwapping:
		if err := p.back(ctx, e); err != nil {
			return err
		}
	case journal.ExecConfirmed:
		for names := range slices.Chunk(e.Carry, namesAtOnce) {
			if err := p.shell(ctx, scriptCarryAll, e.Stage, nil, names...); err != nil {
				return err
			}
		}
	}
	return p.shell(ctx, scriptDrop, e.Stage, nil)
}

// back puts the old content back.
func (p *execPlace) back(ctx context.Context, e journal.ExecRestore) error {
	if len(e.Names) == 0 {
		return p.shell(ctx, scriptBackAll, e.Stage, nil)
	}
	return p.shell(ctx, scriptBackSome, e.Stage, nil, e.Names...)
}
