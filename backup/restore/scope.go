package restore

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
)

// Scope is how much of a backup is restored.
type Scope string

// The scopes.
const (
	ScopeFull  Scope = "full"  // the whole home
	ScopeState Scope = "state" // the agent's state only: what NemoClaw would carry over to a new image
)

// selection is what of a backup is restored: some roots, each replaced as a whole.
type selection struct {
	roots []string        // names in the archive; "." is the whole home
	above map[string]bool // folders above a root that the target lacks, and which are made from the backup

	mounted bool            // the home itself is a mount
	mounts  []string        // paths in the home where something is mounted: they, and all in them, stay as they are
	wanted  []string        // the roots before they were split around mounts
	stays   map[string]bool // beside a mount, not in the backup: no engine can remove it
}

func choose(m *archive.Manifest, scope Scope, targetAgent string) (*selection, error) {
	switch scope {
	case ScopeFull:
		if len(m.Parts) > 0 {
			return &selection{roots: m.Parts}, nil
		}
		if m.Snapshot() { // taken in before the parts were noted: they are the state
			break
		}
		return &selection{roots: []string{"."}}, nil
	case ScopeState:
	default:
		return nil, fmt.Errorf("scope %q is neither %q nor %q", scope, ScopeState, ScopeFull)
	}

	agent := cmp.Or(m.Agent, targetAgent)
	if targetAgent != "" && m.Agent != "" && targetAgent != m.Agent {
		return nil, fmt.Errorf("the backup is of agent %q and the target runs %q: their state is not the same", m.Agent, targetAgent)
	}
	below, items := store.StateOf(agent)
	if len(items) == 0 {
		return nil, fmt.Errorf("where agent %q keeps its state is not known; --scope full restores the whole home", agent)
	}
	pick := &selection{}
	var err error
	for e := range m.Index.All(&err) {
		if store.IsStateItem(e.Name(), below, items) {
			pick.roots = append(pick.roots, e.Name())
		}
	}

	if err != nil {
		return nil, err
	}
	if len(pick.roots) == 0 {
		return nil, fmt.Errorf("the backup has none of the state of agent %q (%s)", cmp.Or(agent, "openclaw"), below)
	}
	return pick, nil
}

// root is the root that name belongs to; "" when it is not restored.
func (s *selection) root(name string) string { return rootOf(s.roots, name) }

func rootOf(roots []string, name string) string {
	for at := name; ; at = path.Dir(at) {
		if slices.Contains(roots, at) {
			return at
		}
		if at == "." || at == "/" {
			return ""
		}
	}
}

// spares reports whether name is a mount or lies in one.
func (s *selection) spares(name string) bool {
	return slices.ContainsFunc(s.mounts, func(mount string) bool { return below(name, mount) })
}

// bytes are how many the files have that are to be written; an engine writes holes as zeros.
func (s *selection) bytes(m *archive.Manifest) (sum int64, err error) {
	for e := range m.Index.All(&err) {
		if name := e.Name(); s.root(name) != "" && !s.spares(name) {
			sum += e.Size
		}
	}
	return sum, err
}

// holdsMount reports whether name is a mount or has one in it.
func (s *selection) holdsMount(name string) bool {
	return name == "." && s.mounted || slices.ContainsFunc(s.mounts, func(mount string) bool { return below(mount, name) })
}

// below reports whether name is folder or lies in it.
func below(name, folder string) bool {
	return folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

// around turns roots with a mount in them into what lies beside the mounts, entry by entry: a mount may be a folder of
// the host, and is never removed.
func (s *selection) around(m *archive.Manifest) (err error) {
	if !slices.ContainsFunc(s.roots, s.holdsMount) {
		return nil
	}
	var roots []string
	for e := range m.Index.All(&err) {
		name := e.Name()
		of := s.root(name)
		if of != "" && !s.holdsMount(name) && !s.spares(name) && (name == of || s.holdsMount(path.Dir(name))) {
			roots = append(roots, name)
		}
	}

	s.roots, s.wanted, s.stays = roots, s.roots, map[string]bool{}
	return err
}

// note takes in an entry of the home that is not among the roots. It stays if only a mount beside it keeps it from
// being replaced.
func (s *selection) note(name string) {
	if s.stays != nil && rootOf(s.wanted, name) != "" && !s.holdsMount(name) && !s.spares(name) && s.holdsMount(path.Dir(name)) {
		s.stays[name] = true
	}
}

// staying says what stays although the backup does not have it; "" when nothing does.
func (s *selection) staying() string {
	if len(s.stays) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(s.stays))
	return fmt.Sprintf("%s beside a mount in the home and not in the backup, and stay, for no engine can remove that alone: %q",
		size.Count(len(names), "entry is", "entries are"), names)
}

// whole reports whether the selection is the home as a whole.
func (s *selection) whole() bool { return slices.Contains(s.roots, ".") }
