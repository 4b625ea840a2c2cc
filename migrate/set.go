package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// setSchema is the version of a set that this program writes. A higher one in a file is refused, not guessed at.
const setSchema = 1

// Set is what an export has saved of one gateway. It names backups of the store beside it, and holds no secret: recipes
// with the values of variables lie in the backups.
type Set struct {
	Schema     int        `json:"schema"`
	Gateway    string     `json:"gateway"`
	Version    string     `json:"version"` // of the gateway when it was exported; "" unknown
	Tool       string     `json:"tool"`
	Updated    time.Time  `json:"updated"`
	State      string     `json:"state,omitempty"` // backup of the gateway's own state; "" none
	StateWhy   string     `json:"stateWhy,omitempty"`
	Workspaces []string   `json:"workspaces"`
	Providers  []Provider `json:"providers"`
	Files      []string   `json:"files"` // beside the set: provider profiles, settings, services
	// Settings are those of the whole gateway that somebody has set.
	Settings  []openshell.Setting `json:"settings,omitempty"`
	Sandboxes []Member            `json:"sandboxes"`
}

// Member is one sandbox of a set.
type Member struct {
	Name      string `json:"name"`
	Workspace string `json:"workspace"`
	ID        string `json:"id"` // of the old gateway

	Container     string    `json:"container"`     // full id of the old container; "" when none is on this host
	ContainerName string    `json:"containerName"` // for people
	Engine        string    `json:"engine"`        // identity of the engine that has it
	Host          string    `json:"host"`          // its address
	Started       time.Time `json:"started"`       // when the container had last been started

	Running bool `json:"running"` // before the export stopped it: the phase that the import brings it back to
	Stopped bool `json:"stopped"` // the export has seen it stopped

	Image  string `json:"image,omitempty"`  // that the container runs, for a sandbox whose recipe nobody told
	Home   string `json:"home,omitempty"`   // of the backup
	Backup string `json:"backup,omitempty"` // "" when nothing is saved; Problem says why
	Final  bool   `json:"final"`            // it is stopped, and the backup is the last that could be made of it
	// RecipeIn is the backup that has its recipe; "": no gateway ever told it, and Image is all that is known.
	RecipeIn string `json:"recipeIn,omitempty"`

	// Beside is what its gateway kept of it beside the recipe: exposed services and settings of its own.
	Beside openshell.Beside `json:"beside,omitzero"`

	Labels    map[string]string `json:"labels,omitempty"`
	Providers []string          `json:"providers,omitempty"`
	Problem   string            `json:"problem,omitempty"`
}

// Key is the member among those of its set.
func (m Member) Key() string { return m.Workspace + "/" + m.Name }

// Address is how people write it.
func (m Member) Address() string { return sandbox.Address(m.Workspace, m.Name) }

// Series is where its backups are.
func (s *Set) Series(m Member) store.Series {
	return store.Series{Gateway: s.Gateway, Workspace: m.Workspace, Name: m.Name}
}

// member is the one of that sandbox; nil when it is not in the set.
func (s *Set) member(workspace, name string) *Member {
	if s == nil {
		return nil
	}
	for i := range s.Sandboxes {
		if s.Sandboxes[i].Workspace == workspace && s.Sandboxes[i].Name == name {
			return &s.Sandboxes[i]
		}
	}
	return nil
}

// covers reports whether all of these are in the set with their last state.
func (s *Set) covers(all []Seen) bool {
	return !slices.ContainsFunc(all, func(seen Seen) bool {
		m := s.member(seen.Sandbox.Workspace, seen.Sandbox.Name)
		return m == nil || !m.Final || seen.Sandbox.ID != "" && m.ID != "" && m.ID != seen.Sandbox.ID
	})
}

// ErrNoSet says that nothing was exported.
var ErrNoSet = errors.New("there is no exported set")

// Dir is the folder of a gateway's set in a store.
func Dir(root, gateway string) string { return filepath.Join(root, archive.MigrationFolder, gateway) }

const setName = "set.json"

// SetPath is the file of a gateway's set.
func SetPath(root, gateway string) string { return filepath.Join(Dir(root, gateway), setName) }

// ErrSetUnusable says that a set is there and cannot be read, or is not what its place says.
var ErrSetUnusable = errors.New("the exported set cannot be used")

// ReadSet reads the set of a gateway. The error wraps ErrNoSet when there is none, and ErrSetUnusable when it cannot be
// believed.
func ReadSet(root, gateway string) (*Set, error) {
	if err := sandboxname.CheckFolder(gateway); err != nil {
		return nil, fmt.Errorf("no gateway can be called %q", gateway)
	}
	path := SetPath(root, gateway)
	content, err := disk.ReadPlain(path, 64<<20)
	if linked := store.RefuseLink(root, Dir(root, gateway)); linked != nil {
		err = linked
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w of gateway %q in %s", ErrNoSet, gateway, root)
	}
	var s Set
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	switch {
	case err != nil:
	case s.Schema > setSchema:
		err = fmt.Errorf("it has schema %d; this program knows %d", s.Schema, setSchema)
	case s.Gateway != gateway:
		err = fmt.Errorf("it is of gateway %q", s.Gateway)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSetUnusable, path, err)
	}
	return &s, nil
}

// Sets are the gateways of which a store has sets, sorted.
func Sets(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, archive.MigrationFolder))
	if err := disk.IgnoreMissing(err); err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(root, archive.MigrationFolder, e.Name(), setName)); err == nil {
			names = append(names, e.Name())
		}
	}

	return names, nil
}

// write puts the set in its place, whole or not at all.
func (s *Set) write(root string) error {
	s.Schema = setSchema
	slices.SortFunc(s.Sandboxes, func(a, b Member) int { return strings.Compare(a.Key(), b.Key()) })
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return s.file(root, setName, append(content, '\n'))
}

// file puts one file beside the set.
func (s *Set) file(root, name string, content []byte) error {
	if err := sandboxname.CheckFolder(s.Gateway); err != nil {
		return fmt.Errorf("no gateway can be called %q", s.Gateway)
	}
	if err := store.RefuseLink(root, Dir(root, s.Gateway)); err != nil {
		return err
	}
	path := filepath.Join(Dir(root, s.Gateway), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	for dir := filepath.Dir(filepath.Dir(path)); len(dir) >= len(root); dir = filepath.Dir(dir) {
		if err := (disk.Real{}).SyncDir(dir); err != nil {
			return err
		}
	}

	return disk.ReplaceFile(disk.Real{}, filepath.Dir(path), filepath.Base(path), content)
}
