package restore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"sandkeeper/internal/journal"
	"sandkeeper/internal/sandboxname"
)

// execMark is the record of a restore through a gateway under way, which is ours until close. Without a journal it only
// remembers.
type execMark struct {
	record *journal.Record[journal.ExecRestore] // nil: nothing is written
	entry  journal.ExecRestore
}

// execMark takes the sandbox's record, and finishes what a killed restore left in the sandbox before another one
// begins. A restore that lives is left alone: *journal.HeldError.
func (j *restoreJob) execMark(ctx context.Context, p *execPlace, tail string) (*execMark, error) {
	m := &execMark{entry: journal.ExecRestore{
		Sandbox: p.Name, Gateway: p.Gateway, Workspace: p.Space, From: j.manifest.Sandbox, Backup: j.Backup.ID, Home: p.Dir, Step: journal.ExecStaging,
		Stage: path.Join(p.Dir, journal.StagePrefix+j.Backup.ID+"-"+tail), At: time.Now().UTC(),
	}}
	if !j.pick.whole() {
		m.entry.Names = j.pick.roots
	}
	if j.Journal == "" {
		return m, nil
	}
	var err error
	if m.record, err = journal.ExecRestores(j.Journal).Own(ctx, m.entry.Key()); err != nil {
		return nil, fmt.Errorf("a restore into sandbox %q cannot begin: %w", sandboxname.Address(p.Space, p.Name), err)
	}
	if m.record.Found {
		if err := FinishExecRestore(ctx, m.record, p.Cli); err != nil {
			return nil, errors.Join(err, m.record.Close())
		}
	}

	return m, nil
}

// reach notes that the restore has come to a step.
func (m *execMark) reach(step journal.ExecStep) error {
	m.entry.Step = step
	if m.record == nil {
		return nil
	}
	if err := m.record.Put(m.entry); err != nil {
		return fmt.Errorf("the restore could not be journalled: %w", err)
	}
	return nil
}

// end takes the record away: nothing of the restore is left in the sandbox.
func (m *execMark) end() error {
	if m.record == nil {
		return nil
	}
	return m.record.Remove()
}

// close gives the record up.
func (m *execMark) close() error { return m.record.Close() }
