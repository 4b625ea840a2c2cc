package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/sandboxname"
)

// defaultWorkspace is the workspace of sandboxes of which none is said.
const defaultWorkspace = sandboxname.DefaultWorkspace

// Series names the backups of one sandbox. What is the latest of them, what a restore takes and what a pruning keeps
// never crosses it. An empty workspace is the default one.
type Series struct{ Gateway, Workspace, Name string }

// SeriesOf is the series of a manifest.
func SeriesOf(m *archive.Manifest) Series {
	return Series{m.Gateway, cmp.Or(m.Workspace, defaultWorkspace), m.Sandbox}
}

// Is reports whether both are of one sandbox. A backup that does not say its gateway may be of any.
func (a Series) Is(b Series) bool {
	workspace := func(s Series) string { return cmp.Or(s.Workspace, defaultWorkspace) }
	return a.Name == b.Name && workspace(a) == workspace(b) && (a.Gateway == b.Gateway || a.Gateway == "" || b.Gateway == "")
}

// String is how people write the series, with its gateway.
func (a Series) String() string {
	return fmt.Sprintf("%s/%s on gateway %q", cmp.Or(a.Workspace, defaultWorkspace), a.Name, a.Gateway)
}

// Address is how people write the sandbox: its name, with "workspace/" before it where that is not the default one.
func (a Series) Address() string { return sandboxname.Address(a.Workspace, a.Name) }

// folder is the series' own folder. The first series of a name has the name alone.
func (a Series) folder() string {
	sum := sha256.Sum256([]byte(a.Gateway + "\x00" + cmp.Or(a.Workspace, defaultWorkspace) + "\x00" + a.Name))
	return a.Name + "~" + hex.EncodeToString(sum[:4])
}

// belongs reports whether a backup may lie in a folder of that name.
func belongs(folder string, m *archive.Manifest) bool {
	return folder == m.Sandbox || folder == SeriesOf(m).folder()
}

// further is the end of the folder of a further series of a name.
var further = pattern.Of(`~[0-9a-f]{8}$`)

// folders are the folders that may hold backups of a name: its own, and those of further series.
func (s *Store) folders(name string) ([]string, error) {
	entries, err := s.readDir(s.root)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var found []string
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), name)
		if e.IsDir() && ours && (rest == "" || further().FindString(rest) == rest) {
			found = append(found, e.Name())
		}
	}

	return found, nil
}

// claims are the folders that this process has given to series which may have no backup yet: two of one name may be
// saved at once.
type claims struct {
	mu sync.Mutex
	of map[string]Series // by path
}

// place is the folder that a new backup of the series goes to: the name's own for the first series of that name, else
// one of its own.
func (s *Store) place(of Series) (string, error) {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()

	path := filepath.Join(s.root, of.Name)
	if claimed, found := s.claims.of[path]; found && !claimed.Is(of) {
		return of.folder(), nil
	}
	folder, err := s.placeOnDisk(of)
	if err == nil && folder == of.Name {
		s.claims.of[path] = of
	}
	return folder, err
}

// placeOnDisk is place by what the disk says alone.
func (s *Store) placeOnDisk(of Series) (string, error) {
	own := of.folder()
	if _, err := os.Stat(filepath.Join(s.root, own)); err == nil {
		return own, nil
	}
	ids, err := s.ids(of.Name)
	if err != nil {
		return "", err
	}
	for _, id := range slices.Backward(ids) { // the oldest one says whose the folder is
		if b, err := s.look(of.Name, id); err == nil && b.Whole() {
			if b.Series().Is(of) {
				return of.Name, nil
			}
			return own, nil
		}
	}

	return of.Name, nil
}

// BackupsOf lists the backups of one series, newest first. A damaged one does not say whose it is, and is in none.
func (s *Store) BackupsOf(of Series) ([]Backup, error) {
	all, err := s.Backups(of.Name)
	return slices.DeleteFunc(all, func(b Backup) bool { return !b.Whole() || !b.Series().Is(of) }), err
}

// LatestOf is the newest whole backup of a series.
func (s *Store) LatestOf(of Series) (Backup, error) {
	list, err := s.BackupsOf(of)
	if err != nil {
		return Backup{}, err
	}
	return s.latest(of.Name, list)
}

// SeveralError says that a name is that of several sandboxes: "latest" may not mean the other one's memory.
type SeveralError struct {
	Sandbox string
	Series  []Series
}

// Error names the sandboxes.
func (e *SeveralError) Error() string {
	words := make([]string, len(e.Series))
	for i, of := range e.Series {
		words[i] = of.String()
	}
	return fmt.Sprintf("backups under the name %q are of different sandboxes: %s", e.Sandbox, strings.Join(words, ", "))
}

// LatestOn is the newest whole backup of the sandbox that is meant: an empty gateway or workspace stands for the only
// such that the backups of that name have, and is a *SeveralError when they have several.
func (s *Store) LatestOn(gateway, workspace, name string) (Backup, error) {
	all, err := s.Backups(name)
	if err != nil {
		return Backup{}, err
	}
	var meant []Backup
	several := &SeveralError{Sandbox: name}
	for _, b := range all {
		of := Series{}
		if b.Whole() {
			of = b.Series()
		}
		if b.Whole() && (workspace != "" && of.Workspace != workspace || gateway != "" && of.Gateway != "" && of.Gateway != gateway) {
			continue
		}
		meant = append(meant, b)
		if b.Whole() && !slices.ContainsFunc(several.Series, of.Is) {
			several.Series = append(several.Series, of)
		}
	}

	if len(several.Series) > 1 {
		slices.SortFunc(several.Series, func(a, b Series) int { return strings.Compare(a.String(), b.String()) })
		return Backup{}, several
	}
	return s.latest(Series{Workspace: workspace, Name: name}.Address(), meant)
}

// GatewayOf is the gateway in the newest manifest of that sandbox id; "" when no backup under the name says one.
func (s *Store) GatewayOf(name, id string) string {
	all, err := s.Backups(name)
	if err != nil || id == "" {
		return ""
	}
	for _, b := range all {
		if b.Whole() && b.Manifest.SandboxID == id && b.Manifest.Gateway != "" {
			return b.Manifest.Gateway
		}
	}
	return ""
}

// all lists the backups in the folders of a name, newest first.
func (s *Store) all(name string) ([]Backup, error) {
	folders, err := s.folders(name)
	if err != nil {
		return nil, err
	}
	list := []Backup{}
	for _, folder := range folders {
		ids, err := s.ids(folder)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			b, err := s.look(folder, id)
			if errors.Is(err, errVanished) || b.Whole() && b.Sandbox != name {
				continue // removed while we looked; or the other sandbox is called so
			}
			b.Sandbox = name
			list = append(list, b)
		}
	}

	slices.SortStableFunc(list, func(a, b Backup) int { return strings.Compare(b.ID, a.ID) })
	return list, nil
}
