package upgrade

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// Pending is an upgrade that has not ended, as a reader of the journal sees it. It holds up its own sandbox, and no
// other.
type Pending struct {
	Entry // zero where the record cannot be read
	Key   string
	// Problem is nil when nobody is at work on it. It wraps ErrJournalBusy while another process is, and
	// ErrJournalDamaged when the record cannot be read.
	Problem error
}

// Peek returns what has not ended without changing anything: no file is made or written. No journal means nothing. The
// error is of a journal as a whole; what is wrong with one record is its Problem.
func Peek(dir string) ([]Pending, error) {
	if dir == "" {
		return nil, nil
	}
	older, err := peekOld(filepath.Join(dir, oldName))
	if err != nil {
		return nil, err
	}
	pending := make([]Pending, 0, len(older))
	for _, e := range older {
		pending = append(pending, Pending{Entry: e, Key: e.key()})
	}
	records, err := (&Journal{shelf: upgrades(dir)}).pending()
	return append(pending, records...), err
}

// HeldUp are the upgrades in the journal of a state folder that hold their sandboxes up, as a check of the host names them.
func HeldUp(dir string) ([]preflight.Unfinished, error) {
	pending, err := Peek(dir)
	if err != nil {
		return nil, err
	}
	var left []preflight.Unfinished
	for i := range pending {
		p := &pending[i]
		switch {
		case !p.Holds():
		case p.Problem != nil:
			left = append(left, preflight.Unfinished{Detail: p.Problem.Error(), Busy: errors.Is(p.Problem, ErrJournalBusy)})
		default:
			left = append(left, preflight.Unfinished{Sandbox: p.Address(), Detail: string(p.Step)})
		}
	}

	return left, nil
}

// pending are the records, by key.
func (j *Journal) pending() ([]Pending, error) {
	all, err := j.shelf.All()
	if err != nil {
		return nil, damagedRecord(err)
	}
	pending := make([]Pending, 0, len(all))
	for _, seen := range all {
		p := Pending{Entry: seen.Value, Key: seen.Key}
		switch {
		case seen.Owner != nil && !j.owns(seen.Key):
			p.Problem = fmt.Errorf("sandbox %q: %w: %w", p.Address(), ErrJournalBusy, seen.Owner)
		case seen.Err != nil:
			p.Problem = damagedRecord(seen.Err)
		}

		pending = append(pending, p)
	}

	return pending, nil
}

// Holds reports whether a new upgrade of the sandbox must not begin: one is going on, or was left after its sandbox had
// been touched.
func (p *Pending) Holds() bool { return p.Problem != nil || !p.Untouched() }

// Of reports whether it is the upgrade of sb.
func (p *Pending) Of(sb sandbox.Sandbox) bool {
	e := Entry{Name: sb.Name, Workspace: sb.Workspace, Gateway: sb.Gateway}
	return p.Key == e.key()
}

// Why says what holds the sandbox up, and which commands end it.
func (p *Pending) Why() string {
	if p.Problem != nil {
		return p.Problem.Error()
	}
	return fmt.Sprintf("an earlier upgrade is not finished: %q at %s; %s", p.Address(), p.Step, p.ways())
}

// ways are the commands that end an upgrade that was left.
func (e *Entry) ways() string {
	return fmt.Sprintf("to go on: `%s`; to go back: `%s`; when neither can end it: `sandkeeper upgrade-sandboxes --forget %s`",
		e.invocation("--resume"), e.invocation("--rollback"), e.Address())
}

// Outcome is that of a sandbox that is held up.
func (p *Pending) Outcome() Outcome {
	return Outcome{
		Name: p.Name, Workspace: p.Workspace, Gateway: p.Gateway, Outcome: Failed, Step: p.Step, Reason: p.Why(),
		Backup: p.Backup, RollbackImage: p.RollbackImage, Unfinished: p.Problem == nil, Held: true, Busy: errors.Is(p.Problem, ErrJournalBusy),
	}
}

// Adopt makes upgrades that were left this process's own, and reads them again. What nothing had been done for is
// struck off. The others have their outcome already.
func (j *Journal) Adopt(pending []Pending) (entries []Entry, others []Outcome) {
	for _, p := range pending {
		var e *Entry
		if p.Problem == nil {
			e, p.Problem = j.adopt(&p.Entry)
		}
		switch {
		case p.Problem != nil:
			others = append(others, p.Outcome())
		case e != nil:
			entries = append(entries, *e)
		}
	}
	return sorted(entries), others
}

// adopt is nil for an upgrade that had not touched its sandbox and left nothing of a rehearsal, or has ended meanwhile.
func (j *Journal) adopt(e *Entry) (*Entry, error) {
	record, err := j.take(e)
	if err != nil {
		return nil, err
	}
	if record.Found && (!record.Value.Untouched() || record.Value.Rehearsal != nil) {
		return &record.Value, nil
	}
	return nil, j.Forget(e)
}

// Begin enters e at its first step, with what the rehearsal of a run that was killed has left, unless an earlier
// upgrade of its sandbox has not ended: that is never written over.
func (j *Journal) Begin(e *Entry) error {
	record, err := j.take(e)
	if err != nil {
		return fmt.Errorf("upgrade journal: %w", err)
	}
	if record.Found && !record.Value.Untouched() {
		left := Pending{Entry: record.Value}
		return errors.Join(errors.New(left.Why()), j.release(e))
	}
	if record.Found {
		e.Rehearsal = record.Value.Rehearsal
	}
	return j.Enter(e, StepPlanned)
}

// release gives e's sandbox up again; its record stays.
func (j *Journal) release(e *Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	record := j.own[e.key()]
	delete(j.own, e.key())
	return record.Close()
}

// Left are the upgrades that have not ended.
type Left []Pending

// Of reports whether an upgrade of a sandbox of that name is among them.
func (l Left) Of(name string) bool {
	return slices.ContainsFunc(l, func(p Pending) bool { return p.Name != "" && p.Answers(name) })
}

// HoldAll reports whether each of these names is that of a sandbox which is held up. Of no names it is false.
func (l Left) HoldAll(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(l, func(p Pending) bool { return p.Name != "" && p.Holds() && p.Answers(name) })
	})
}

// Readable are those whose record could be read.
func (l Left) Readable() Left {
	return slices.DeleteFunc(slices.Clone(l), func(p Pending) bool { return p.Name == "" })
}

// Damaged names the records that cannot be read.
func (l Left) Damaged() error {
	var problems []error
	for _, p := range l {
		if errors.Is(p.Problem, ErrJournalDamaged) {
			problems = append(problems, p.Problem)
		}
	}
	return errors.Join(problems...)
}

// Entries are those that nobody is at work on.
func (l Left) Entries() []Entry {
	var entries []Entry
	for _, p := range l {
		if p.Problem == nil {
			entries = append(entries, p.Entry)
		}
	}
	return entries
}

// Outcomes are those of the sandboxes that are held up.
func (l Left) Outcomes() (outcomes []Outcome) {
	for _, p := range l {
		outcomes = append(outcomes, p.Outcome())
	}
	return outcomes
}

// Bindings are the gateways that upgrades are worked on through, whatever the registry has by now.
func Bindings(entries []Entry, registered []sandbox.Binding) []sandbox.Binding {
	var found []sandbox.Binding
	for i := range entries {
		binding := sandbox.Binding{Gateway: entries[i].Gateway}
		for _, recorded := range registered {
			if recorded.Gateway == binding.Gateway {
				binding = recorded
			}
		}

		if !slices.Contains(found, binding) {
			found = append(found, binding)
		}
	}
	return found
}
