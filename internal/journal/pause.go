package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Pause is what is known of a container that a run pauses: enough to unpause it without that run.
type Pause struct {
	Container string    `json:"container"` // full id
	Created   time.Time `json:"created,omitzero"`
	Name      string    `json:"name"`
	Engine    string    `json:"engine,omitempty"` // which engine it is, whatever answers at Host later
	Host      string    `json:"host"`             // the engine's address
	At        time.Time `json:"at"`
}

// PausedDir is the folder of all that is paused, below a state folder such as $XDG_STATE_HOME.
func PausedDir(stateHome string) string { return filepath.Join(stateHome, "sandkeeper", "paused") }

// Pauses is the shelf of pauses. One that has no lock file is taken back as well: at worst a run that lives reads on
// without its pause, and says so.
func Pauses(dir string) Shelf[Pause] {
	return NewShelf(dir, Kind[Pause]{About: Pause.about, Check: checkPause}).adopting()
}

func (p Pause) about() string { return fmt.Sprintf("container %q", p.Name) }

func checkPause(key string, p Pause) error {
	if p.Container != key {
		return errors.New("it speaks of another container than its name")
	}
	if p.Host == "" || strings.ContainsFunc(p.Host, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("it does not name the container's engine")
	}
	return nil
}

// ErrOther means that a record is about another engine or another container.
var ErrOther = errors.New("it is left alone")

// OnEngine says why the engine of that identity is not the container's. Records of before the identities name none and
// fit any.
func (p Pause) OnEngine(identity string) error {
	if p.Engine != "" && p.Engine != identity {
		return fmt.Errorf("container %q is one of engine %q, and at %s engine %q answers now: %w", p.Name, p.Engine, p.Host, identity, ErrOther)
	}
	return nil
}

// IsContainer says why a container that was created then, and has the id, is another one. Listings give whole seconds.
func (p Pause) IsContainer(created time.Time) error {
	if !p.Created.IsZero() && !p.Created.Truncate(time.Second).Equal(created.Truncate(time.Second)) {
		return fmt.Errorf("container %q was made at %s, and the one of its id at %s: %w", p.Name, p.Created.Format(time.RFC3339), created.Format(time.RFC3339), ErrOther)
	}
	return nil
}
