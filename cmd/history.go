package cmd

import (
	"errors"
	"os"

	"sandkeeper/internal/runlog"
)

// history is what this user's runs have left noted of themselves.
type history struct{ term *terminal }

// remember adds the run to the history of this user. Root with somebody's HOME keeps none.
func (h history) remember(r runlog.Record) error {
	if h.term.Env.StateHome() == "" {
		return nil
	}
	if _, err := os.Stat(stateDir(h.term.Env)); err != nil && r.ExitCode != int(ExitOK) && !h.term.Journal {
		return nil // by hand, a run that did nothing leaves nothing where none was before
	}
	err := runlog.Append(runlog.File(h.term.Env.StateHome()), r)
	if errors.Is(err, runlog.ErrNotOurs) {
		h.term.note("%v", err)
		return nil
	}
	return err
}

// runs are all runs of this user that are noted, the newest first; root with somebody's HOME has none.
func (h history) runs() ([]runlog.Record, error) {
	runs, err := runlog.Read(runlog.File(h.term.Env.StateHome()))
	if errors.Is(err, runlog.ErrNotOurs) {
		h.term.note("%v", err)
		return nil, nil
	}
	return runs, err
}

// last are the newest runs that this user's history has; of all commands that are noted there.
func (h history) last(n int) ([]runlog.Record, error) {
	if h.term.Env.StateHome() == "" {
		return []runlog.Record{}, nil
	}
	runs, err := h.runs()
	return append([]runlog.Record{}, runs[:min(n, len(runs))]...), err
}

// lastBackup is the last backup-all into the store at root that this user's history has; nil when it has none.
func (h history) lastBackup(root string) (*runlog.Record, error) {
	if h.term.Env.StateHome() == "" {
		return nil, nil
	}
	runs, err := h.runs()
	for _, r := range runs {
		if r.Command == "backup-all" && (r.Root == root || r.Root == "") { // a run that was refused has no result that names the store
			return &r, err
		}
	}
	return nil, err
}
