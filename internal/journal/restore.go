package journal

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sandkeeper/internal/sandboxname"
)

// Restore is what is known of a container whose home a restore replaces: enough to say what became of it, and to bring
// it back, without the run that did it.
type Restore struct {
	Pause           // the container and its engine; At is when the restore began
	Sandbox  string `json:"sandbox"` // that is restored into
	From     string `json:"from"`    // the backup's sandbox
	Backup   string `json:"backup"`
	Scope    string `json:"scope"`
	Root     string `json:"root"`             // of the store that keeps what is replaced
	Source   string `json:"source,omitempty"` // root of the backup's store, where that is another one
	Home     string `json:"home"`
	Running  bool   `json:"running"`  // it ran before, so it is to run afterwards
	Copy     string `json:"copy"`     // complete copy of the home from before; "" while there is none
	Previous string `json:"previous"` // id of the backup of the home from before; "" when it was empty
	Stopping bool   `json:"stopping"` // the engine may still be about to stop it
	Writing  bool   `json:"writing"`  // the home may be half old and half new; false: it is whole, old or new

	Gateway       string `json:"gateway,omitempty"`       // of Sandbox; "" in a record of a version that did not note it, as below
	Workspace     string `json:"workspace,omitempty"`     // of Sandbox
	FromWorkspace string `json:"fromWorkspace,omitempty"` // of From

	Through *Through `json:"through,omitempty"` // the gateway that stops and starts it; nil: its engine does

	Exchange *Exchange `json:"exchange,omitempty"` // of a restore on the direct way, which never writes to the home itself
}

// Of reports whether the record is of a restore into that sandbox. One that does not say its gateway, of an earlier
// version, is of none for sure.
func (r Restore) Of(gateway, workspace, name string) bool {
	return r.Gateway != "" && SandboxKey(r.Gateway, r.Workspace, r.Sandbox) == SandboxKey(gateway, workspace, name)
}

// Through names a sandbox to the gateway that it is stopped and started through.
type Through struct {
	Gateway   string `json:"gateway"`
	Workspace string `json:"workspace,omitempty"`
	ID        string `json:"id"`
}

// Exchange is what is known of a restore that makes a new home beside the container's writable layer and exchanges it
// for the old one.
type Exchange struct {
	Upper string   `json:"upper"` // the writable layer
	Lower []string `json:"lower"` // what lies under it, the topmost first
	Stage string   `json:"stage"` // the folder with the new home; after the exchange, with the old one
	Own   bool     `json:"own"`   // the layer had a folder for the home; else all of the old one is the image's
	// Volume is the folder of the volume that is the home; "" where the home lies in the layers.
	Volume string `json:"volume,omitempty"`
	// Mounts are the paths in the home where something is mounted while the container runs. It stays as it is.
	Mounts []string `json:"mounts,omitempty"`
	// Inode is that of the new home's folder: whether the exchange was made is seen from where it lies. 0 until it may
	// have been.
	Inode uint64    `json:"inode,omitempty"`
	At    time.Time `json:"at,omitzero"` // just before
	// Before is the manifest, as far as it is known beforehand, of the backup that the old home becomes.
	Before json.RawMessage `json:"before,omitempty"`
}

// Beside is the folder that Stage is in: what is on the file system of the home for sure.
func (x Exchange) Beside() string {
	if x.Volume != "" {
		return x.Volume
	}
	return filepath.Dir(x.Upper)
}

func (x Exchange) madeByRestore() bool {
	plain := func(dir string) bool { return filepath.IsAbs(dir) && filepath.Clean(dir) == dir }
	return plain(x.Upper) && plain(x.Beside()) && filepath.Dir(x.Stage) == x.Beside() && strings.HasPrefix(filepath.Base(x.Stage), ExchangePrefix)
}

// ExchangePrefix begins the name of an Exchange's Stage.
const ExchangePrefix = ".sandkeeper-restore-"

// CopyPattern is what the name of a Restore's Copy is like. It lies in the store's root, and is no backup.
const CopyPattern = ".before-restore-*.tar.zst"

// RestoringDir is the folder of all that is being restored, below a state folder such as $XDG_STATE_HOME.
func RestoringDir(stateHome string) string {
	return filepath.Join(stateHome, "sandkeeper", "restoring")
}

// Restores is the shelf of restores into containers. A record is there before the container is stopped, says that the
// home is being written before it is, and goes after the container is back.
func Restores(dir string) Shelf[Restore] {
	return NewShelf(dir, Kind[Restore]{About: Restore.about, Check: checkRestore})
}

func (r Restore) about() string {
	return fmt.Sprintf("sandbox %q in container %q", sandboxname.Address(r.Workspace, r.Sandbox), r.Name)
}

func checkRestore(key string, r Restore) error {
	if err := checkPause(key, r.Pause); err != nil {
		return err
	}
	if x := r.Exchange; x != nil && !x.madeByRestore() {
		return fmt.Errorf("it names a folder that no restore made: %q", x.Stage)
	}
	if r.Copy == "" {
		return nil
	}
	if fits, err := filepath.Match(CopyPattern, filepath.Base(r.Copy)); err != nil || !fits || filepath.Dir(r.Copy) != r.Root {
		return fmt.Errorf("it names a copy that no restore made: %q", r.Copy)
	}
	return nil
}
