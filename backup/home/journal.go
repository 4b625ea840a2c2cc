package home

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"sandkeeper/engine"
)

// PausedEntry is the journal's word on one container that we pause: enough to unpause it without us.
type PausedEntry struct {
	Container string    `json:"container"` // full id
	Name      string    `json:"name"`
	Host      string    `json:"host"`    // of the container engine
	PID       int       `json:"pid"`     // the process that pauses it
	Started   int64     `json:"started"` // when that process started, ms since 1970: a recycled PID is not its owner
	At        time.Time `json:"at"`
}

// PausedDir is where the journal lies below a state directory such as $XDG_STATE_HOME.
func PausedDir(stateHome string) string { return filepath.Join(stateHome, "sandkeeper", "paused") }

// Journal names every container that is paused by us, one file each. A file is there, on disk, before its container is paused, and
// goes after it was unpaused.
type Journal struct {
	Dir     string
	PID     int
	Started int64
}

func NewJournal(dir string) (*Journal, error) {
	pid := os.Getpid()
	started, err := StartOf(pid)
	if err != nil {
		return nil, fmt.Errorf("when did this process start: %w", err)
	}
	return &Journal{Dir: dir, PID: pid, Started: started}, nil
}

func (j *Journal) Entry(c engine.Container, host string, now time.Time) PausedEntry {
	return PausedEntry{Container: c.ID, Name: c.Name, Host: host, PID: j.PID, Started: j.Started, At: now.UTC()}
}

func (j *Journal) records() Records[PausedEntry] {
	return Records[PausedEntry]{Dir: j.Dir, Decode: decodePaused}
}

func (j *Journal) Add(e PausedEntry) error { return j.records().Put(e.Container, e) }

func (j *Journal) remove(id string) error { return j.records().Remove(id) }

func (j *Journal) List() ([]PausedEntry, error) { return j.records().List() }

// decodePaused reads one entry; the file's name is the container's id, whatever the text says.
func decodePaused(id string, text []byte) (PausedEntry, error) {
	var e PausedEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("pause journal of container %q is not readable: %w", id, err)
	}
	if e.Container != id || e.Host == "" || strings.ContainsFunc(e.Host, IsSpace) {
		return e, fmt.Errorf("pause journal of container %q does not name it and its engine", id)
	}
	return e, nil
}

func IsSpace(r rune) bool { return r <= ' ' || r == 0x7f }

// OwnerLives reports whether the process that wrote e still runs.
func (e PausedEntry) OwnerLives() bool { return Lives(e.PID, e.Started) }

// Lives reports whether the process pid that started then still runs.
func Lives(pid int, then int64) bool {
	started, err := StartOf(pid)
	if err != nil {
		return false
	}
	gap := started - then
	return max(gap, -gap) <= startTolerance && !isZombie(pid)
}

// startTolerance in ms: the start of a process is counted from the time of boot, which moves when the clock is set.
const startTolerance = 2000

func StartOf(pid int) (int64, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, err
	}
	return p.CreateTime()
}

func isZombie(pid int) bool {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return true
	}
	status, err := p.Status()
	return err == nil && len(status) == 1 && status[0] == process.Zombie
}
