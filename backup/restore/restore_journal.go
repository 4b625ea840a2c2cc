package restore

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
)

// RestoreEntry is the journal's word on one container whose home a restore replaces: enough to say what became of it, and to bring
// it back, without the process that did it.
type RestoreEntry struct {
	home.PausedEntry        // the container, its engine, and the process that restores; At is when it began
	Sandbox          string `json:"sandbox"` // that is restored into
	From             string `json:"from"`    // the backup's sandbox
	Backup           string `json:"backup"`
	Scope            Scope  `json:"scope"`
	Root             string `json:"root"` // of the store
	Home             string `json:"home"`
	Running          bool   `json:"running"`  // it ran before, so it is to run afterwards
	Copy             string `json:"copy"`     // complete copy of the home from before; "" while there is none
	Previous         string `json:"previous"` // id of the backup of the home from before; "" when it was empty
	Stopping         bool   `json:"stopping"` // the engine may still be about to stop it
	Writing          bool   `json:"writing"`  // the home may be half old and half new; false: it is whole, old or new
}

// RestoringDir is where the journal of restores lies below a state directory such as $XDG_STATE_HOME.
func RestoringDir(stateHome string) string {
	return filepath.Join(stateHome, "sandkeeper", "restoring")
}

// restoreJournal has one file for every container that is being restored. It is on disk before the container is stopped, says that
// the home is being written before it is, and goes after the container is back.
type restoreJournal struct{ dir string }

func (j restoreJournal) records() home.Records[RestoreEntry] {
	return home.Records[RestoreEntry]{Dir: j.dir, Decode: decodeRestore}
}

func (j restoreJournal) put(e RestoreEntry) error { return j.records().Put(e.Container, e) }

func (j restoreJournal) remove(id string) error { return j.records().Remove(id) }

func (j restoreJournal) get(id string) (RestoreEntry, bool, error) { return j.records().Get(id) }

func (j restoreJournal) list() ([]RestoreEntry, error) { return j.records().List() }

// decodeRestore reads one entry; the file's name is the container's id, whatever the text says.
func decodeRestore(id string, text []byte) (RestoreEntry, error) {
	var e RestoreEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("restore journal of container %q is not readable: %w", id, err)
	}
	if e.Container != id || e.Host == "" || strings.ContainsFunc(e.Host, home.IsSpace) {
		return e, fmt.Errorf("restore journal of container %q does not name it and its engine", id)
	}
	if e.Copy != "" {
		if fits, err := filepath.Match(store.OldHomePattern, filepath.Base(e.Copy)); err != nil || !fits || filepath.Dir(e.Copy) != e.Root {
			return e, fmt.Errorf("restore journal of container %q names a copy that no restore made: %q", id, e.Copy)
		}
	}
	return e, nil
}
