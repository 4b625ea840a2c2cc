package sandbox

import (
	"cmp"
	"slices"

	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// entry is one sandbox in the making.
type entry struct {
	Sandbox
	elsewhere bool               // its row was left out by a Binding: it only claims its containers
	claims    []engine.Container // what may be its container; more than one, or a shared one, decides nothing
	contested []string           // the others that claim the same containers, in words
	gone      bool               // nobody has seen it, and everybody who could was asked
}

// merge is the join of rows, lists and containers.
type merge struct {
	entries  []*entry
	warnings []string
	asked    bool              // a gateway was: what its list does not say is known
	taken    map[string]*entry // container id → the sandbox it was given to
	spaces   map[string]string // container namespace → the gateway that its ids prove; "" when they prove two
	keys     map[Key]bool      // every sandbox that a row or a list names
	origins  map[string]string // container id → the gateway that made it, where neither row nor list says so
}

// classify joins what was seen into sandboxes and says of each where it stands.
func classify(s Sources, seen look) *merge {
	m := &merge{asked: len(seen.lists) > 0, taken: map[string]*entry{}, spaces: map[string]string{}, keys: map[Key]bool{}, origins: seen.origins}
	m.addRows(s.Registry)
	m.addListed(seen.lists, s.Env.Get("OPENSHELL_WORKSPACE"))
	for _, e := range m.entries {
		m.keys[e.Key()] = true
	}
	m.matchByID(seen.containers)
	m.matchByName(seen.containers)
	m.addStrays(seen.containers)
	for _, e := range m.entries {
		e.stand(s, seen)
	}
	m.limit(s)
	return m
}

func (m *merge) addRows(r Registry) {
	add := func(rows []Row, elsewhere bool) {
		for i := range rows {
			row := &rows[i]
			m.entries = append(m.entries, &entry{elsewhere: elsewhere, Sandbox: Sandbox{
				Name: row.Name, Workspace: DefaultWorkspace, Registered: true, Row: row, Gateway: row.Gateway,
			}})
		}
	}
	add(r.Rows, false)
	add(r.Elsewhere, true)
}

// addListed joins each gateway's list to its rows, by name; what is left is listed and not registered. A row says no
// workspace: it is of the default one, or of the one in which this user's commands work (OPENSHELL_WORKSPACE) where the
// default one has no such name.
func (m *merge) addListed(all lists, own string) {
	rows := map[Key]*entry{}
	for _, e := range m.entries {
		if e.Row.BindingErr == nil {
			rows[e.Key()] = e
		}
	}

	for _, name := range sortedKeys(all) {
		for _, listed := range inOrder(all[name], own) {
			workspace := cmp.Or(listed.Workspace, DefaultWorkspace)
			key := Key{name, workspace, listed.Name}
			if workspace == own {
				key.Workspace = DefaultWorkspace
			}
			e := rows[key]
			delete(rows, key)
			if e == nil {
				e = &entry{Sandbox: Sandbox{Name: listed.Name, Gateway: name}}
				m.entries = append(m.entries, e)
			}
			e.Listed, e.ID, e.Phase, e.PhaseWhy, e.Workspace = true, listed.ID, listed.Phase, listed.Reason, workspace
		}
	}
}

// inOrder puts the default workspace first and the user's own behind it.
func inOrder(listed []openshell.ListedSandbox, own string) []openshell.ListedSandbox {
	rank := func(s openshell.ListedSandbox) int {
		switch cmp.Or(s.Workspace, DefaultWorkspace) {
		case DefaultWorkspace:
			return 0
		case own:
			return 1
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(listed), func(a, b openshell.ListedSandbox) int { return rank(a) - rank(b) })
}

// matchByID gives containers to the sandboxes whose gateway names their id, and learns whose namespace is whose on the
// way.
func (m *merge) matchByID(containers []engine.Container) {
	byID := map[string]*entry{}
	for _, e := range m.entries {
		if e.ID != "" {
			byID[e.ID] = e
		}
	}

	for _, c := range containers {
		e := byID[c.SandboxID]
		if e == nil || c.SandboxID == "" {
			continue
		}
		m.give(e, c)
		m.learn(c.Namespace, e.Gateway)
	}
}

// learn notes that namespace is gateway's. "default" is what every gateway uses that was not told otherwise, and proves
// nothing.
func (m *merge) learn(namespace, gateway string) {
	if namespace == "" || namespace == "default" {
		return
	}
	if known, found := m.spaces[namespace]; found && known != gateway {
		gateway = ""
	}
	m.spaces[namespace] = gateway
}

func (m *merge) give(e *entry, c engine.Container) {
	e.claims = append(e.claims, c)
	m.taken[c.ID] = e
}

// missing are the sandboxes that nobody has seen and everybody was asked about.
func (m *merge) missing() []*entry {
	return slices.DeleteFunc(slices.Clone(m.entries), func(e *entry) bool { return !e.gone || e.elsewhere })
}

func (m *merge) byRow() map[*Row]*entry {
	rows := map[*Row]*entry{}
	for _, e := range m.entries {
		if e.Row != nil {
			rows[e.Row] = e
		}
	}
	return rows
}

func (m *merge) sandboxes() []Sandbox {
	var found []Sandbox
	for _, e := range m.entries {
		if !e.elsewhere {
			found = append(found, e.Sandbox)
		}
	}

	slices.SortStableFunc(found, func(a, b Sandbox) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.ID, b.ID))
	})
	return found
}

func sortedKeys(all lists) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	return sorted(names)
}
