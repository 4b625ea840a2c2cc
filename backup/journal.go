package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"sandkeeper/gateway"
	"sandkeeper/internal/homefile"
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

// journal names every container that is paused by us, one file each. A file is there, on disk, before its container is paused, and
// goes after it was unpaused.
type journal struct {
	dir     string
	pid     int
	started int64
}

const (
	journalSuffix = ".json"
	journalLimit  = 64 << 10
)

var containerID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

func newJournal(dir string) (*journal, error) {
	pid := os.Getpid()
	started, err := startOf(pid)
	if err != nil {
		return nil, fmt.Errorf("when did this process start: %w", err)
	}
	return &journal{dir: dir, pid: pid, started: started}, nil
}

func (j *journal) entry(c gateway.Container, host string, now time.Time) PausedEntry {
	return PausedEntry{Container: c.ID, Name: c.Name, Host: host, PID: j.pid, Started: j.started, At: now.UTC()}
}

// add makes the entry durable: written aside, synced, renamed, and the folder synced.
func (j *journal) add(e PausedEntry) error {
	if !containerID.MatchString(e.Container) {
		return fmt.Errorf("%q is not a container id", e.Container)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	aside := j.path(e.Container) + ".part"
	if err := writeSynced(aside, append(text, '\n')); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(aside)))
	}
	if err := os.Rename(aside, j.path(e.Container)); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(aside)))
	}
	return realDisk{}.SyncDir(j.dir)
}

func writeSynced(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (j *journal) remove(id string) error { return ignoreMissing(os.Remove(j.path(id))) }

func (j *journal) path(id string) string { return filepath.Join(j.dir, id+journalSuffix) }

// list reads all entries. A file that is none is an error of its own and does not hide the others; no folder is no entry.
func (j *journal) list() ([]PausedEntry, error) {
	files, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []PausedEntry
	problems := []error{err}
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), journalSuffix)
		if !ok || !containerID.MatchString(id) {
			continue
		}
		entry, err := j.read(id)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		entries = append(entries, entry)
	}
	return entries, errors.Join(problems...)
}

func (j *journal) read(id string) (PausedEntry, error) {
	text, err := homefile.Read(j.dir, j.path(id), journalLimit)
	if err != nil {
		return PausedEntry{}, err
	}
	return decodePaused(id, text)
}

// decodePaused reads one entry; the file's name is the container's id, whatever the text says.
func decodePaused(id string, text []byte) (PausedEntry, error) {
	var e PausedEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("pause journal of container %q is not readable: %w", id, err)
	}
	if e.Container != id || e.Host == "" || strings.ContainsFunc(e.Host, isSpace) {
		return e, fmt.Errorf("pause journal of container %q does not name it and its engine", id)
	}
	return e, nil
}

func isSpace(r rune) bool { return r <= ' ' || r == 0x7f }

// ownerLives reports whether the process that wrote e still runs.
func (e PausedEntry) ownerLives() bool {
	started, err := startOf(e.PID)
	if err != nil {
		return false
	}
	gap := started - e.Started
	return max(gap, -gap) <= startTolerance && !isZombie(e.PID)
}

// startTolerance in ms: the start of a process is counted from the time of boot, which moves when the clock is set.
const startTolerance = 2000

func startOf(pid int) (int64, error) {
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
