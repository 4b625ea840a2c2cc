package restore

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
)

// ExecStep is how far a restore through a gateway came; it says how what is in the sandbox becomes whole again.
type ExecStep string

// The steps, in their order.
const (
	ExecStaging   ExecStep = "staging"   // the home is untouched; a stage may lie in it
	ExecSwapping  ExecStep = "swapping"  // the home may be half old and half new; all of the old content is in it and in the stage
	ExecConfirmed ExecStep = "confirmed" // the home is new; what is in no backup may still be in the stage
)

// ExecEntry is the journal's word on one sandbox whose home a restore replaces through its gateway: enough to make it whole without
// the process that did it.
type ExecEntry struct {
	Sandbox string `json:"sandbox"` // that is restored into
	Gateway string `json:"gateway"`
	// Workspace is that of the sandbox; "" in a record of a version that knew none.
	Workspace string    `json:"workspace,omitempty"`
	From      string    `json:"from"` // the backup's sandbox
	Backup    string    `json:"backup"`
	Home      string    `json:"home"`
	Stage     string    `json:"stage"` // a folder in the home
	Step      ExecStep  `json:"step"`
	Names     []string  `json:"names,omitempty"` // what is replaced, in the home; none: all of it
	Carry     []string  `json:"carry,omitempty"` // what is taken over from the old content
	Previous  string    `json:"previous"`        // id of the backup of the home from before
	PID       int       `json:"pid"`             // the process that restores
	Started   int64     `json:"started"`         // when it started, ms since 1970
	At        time.Time `json:"at"`              // when the restore began
}

// stagePrefix begins the names of stages.
const stagePrefix = ".sandkeeper-restore-"

func (e ExecEntry) ownerLives() bool { return home.Lives(e.PID, e.Started) }

// execJournal has one file for every sandbox that is being restored through its gateway. It is on disk before the sandbox is
// touched, and goes after nothing of the restore is left in it.
type execJournal struct{ dir string }

// execJournalIn is the journal below that of containers.
func execJournalIn(restoring string) execJournal {
	return execJournal{filepath.Join(restoring, "exec")}
}

func (j execJournal) records() home.Records[ExecEntry] {
	return home.Records[ExecEntry]{Dir: j.dir, Decode: decodeExec}
}

func (j execJournal) put(e ExecEntry) error {
	return j.records().Put(home.ExecKey(e.Gateway, e.Sandbox), e)
}

func (j execJournal) remove(e ExecEntry) error {
	return j.records().Remove(home.ExecKey(e.Gateway, e.Sandbox))
}

// decodeExec reads one entry. What it names is removed and moved about in a sandbox, so it must be what a restore made.
func decodeExec(key string, text []byte) (ExecEntry, error) {
	var e ExecEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("restore journal %s is not readable: %w", key, err)
	}
	if home.ExecKey(e.Gateway, e.Sandbox) != key {
		return e, fmt.Errorf("restore journal %s is of another sandbox", key)
	}
	if !path.IsAbs(e.Home) || path.Clean(e.Home) != e.Home || path.Dir(e.Stage) != e.Home || !strings.HasPrefix(path.Base(e.Stage), stagePrefix) {
		return e, fmt.Errorf("restore journal of sandbox %q names a stage that no restore made: %q", e.Sandbox, e.Stage)
	}
	switch e.Step {
	case ExecStaging, ExecSwapping, ExecConfirmed:
	default:
		return e, fmt.Errorf("restore journal of sandbox %q has the unknown step %q", e.Sandbox, e.Step)
	}
	for _, name := range append(e.Names[:len(e.Names):len(e.Names)], e.Carry...) {
		if why := archive.OddName(name); why != "" {
			return e, fmt.Errorf("restore journal of sandbox %q: %q: %s", e.Sandbox, archive.Printable(name), why)
		}
	}
	return e, nil
}

// execMark is the journal entry of a restore under way. Without a journal it only remembers.
type execMark struct {
	journal execJournal // dir "": nothing is written
	entry   ExecEntry
}

func (j *restoreJob) execMark(p *execPlace, tail string) (*execMark, error) {
	m := &execMark{entry: ExecEntry{
		Sandbox: p.Name, Gateway: p.Gateway, Workspace: p.Space, From: j.manifest.Sandbox, Backup: j.Backup.ID, Home: p.Dir, Step: ExecStaging,
		Stage: path.Join(p.Dir, stagePrefix+j.Backup.ID+"-"+tail), PID: os.Getpid(), At: time.Now().UTC(),
	}}
	if !j.pick.whole() {
		m.entry.Names = j.pick.roots
	}
	if j.Journal == "" {
		return m, nil
	}
	started, err := home.StartOf(m.entry.PID)
	if err != nil {
		return nil, fmt.Errorf("when did this process start: %w", err)
	}
	m.journal, m.entry.Started = execJournalIn(j.Journal), started
	return m, nil
}

// reach notes that the restore has come to a step.
func (m *execMark) reach(step ExecStep) error {
	m.entry.Step = step
	if m.journal.dir == "" {
		return nil
	}
	if err := m.journal.put(m.entry); err != nil {
		return fmt.Errorf("the restore could not be journalled: %w", err)
	}
	return nil
}

// end takes the entry back: nothing of the restore is left in the sandbox.
func (m *execMark) end() error {
	if m.journal.dir == "" {
		return nil
	}
	return m.journal.remove(m.entry)
}
