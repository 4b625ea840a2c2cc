package restore

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
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
}

func choose(m *archive.Manifest, scope Scope, targetAgent string) (*selection, error) {
	switch scope {
	case ScopeFull:
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
func (s *selection) root(name string) string {
	for at := name; ; at = path.Dir(at) {
		if slices.Contains(s.roots, at) {
			return at
		}
		if at == "." || at == "/" {
			return ""
		}
	}
}

// whole reports whether the selection is the home as a whole.
func (s *selection) whole() bool { return slices.Contains(s.roots, ".") }
