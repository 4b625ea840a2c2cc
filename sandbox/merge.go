package sandbox

import (
	"cmp"
	"fmt"
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
	workspace string             // as listed
	gone      bool               // nobody has seen it, and everybody who could was asked
}

// merge is the join of rows, lists and containers.
type merge struct {
	entries  []*entry
	warnings []string
	taken    map[string]*entry // container id → the sandbox it was given to
	spaces   map[string]string // container namespace → the gateway that its ids prove; "" when they prove two
	keys     map[Key]bool      // every sandbox that a row or a list names
}

// classify joins what was seen into sandboxes and says of each where it stands.
func classify(s Sources, seen look) *merge {
	m := &merge{taken: map[string]*entry{}, spaces: map[string]string{}, keys: map[Key]bool{}}
	m.addRows(s.Registry)
	m.addListed(seen.lists)
	for _, e := range m.entries {
		m.keys[e.Key()] = true
	}
	m.matchByID(seen.containers)
	m.matchByName(seen.containers)
	m.addStrays(seen.containers)
	for _, e := range m.entries {
		e.stand(s, seen)
	}
	return m
}

func (m *merge) addRows(r Registry) {
	add := func(rows []Row, elsewhere bool) {
		for i := range rows {
			row := &rows[i]
			m.entries = append(m.entries, &entry{elsewhere: elsewhere, Sandbox: Sandbox{
				Name: row.Name, Registered: true, Row: row, Gateway: row.Gateway,
			}})
		}
	}
	add(r.Rows, false)
	add(r.Elsewhere, true)
}

// addListed joins each gateway's list to its rows, by name; what is left is listed and not registered.
func (m *merge) addListed(all lists) {
	rows := map[Key]*entry{}
	for _, e := range m.entries {
		if e.Row.BindingErr == nil {
			rows[e.Key()] = e
		}
	}
	for _, name := range sortedKeys(all) {
		for _, listed := range inDefaultFirst(all[name]) {
			key := Key{name, listed.Name}
			e := rows[key]
			delete(rows, key)
			if e == nil {
				e = &entry{Sandbox: Sandbox{Name: listed.Name, Gateway: name}}
				m.entries = append(m.entries, e)
			}
			e.Listed, e.ID, e.Phase, e.workspace = true, listed.ID, listed.Phase, listed.Workspace
		}
	}
}

// inDefaultFirst puts the default workspace first: that is where registered sandboxes live, and a name may recur in others.
func inDefaultFirst(listed []openshell.Sandbox) []openshell.Sandbox {
	other := func(s openshell.Sandbox) int {
		if s.Workspace == "" || s.Workspace == "default" {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(listed), func(a, b openshell.Sandbox) int { return other(a) - other(b) })
}

// matchByID gives containers to the sandboxes whose gateway names their id, and learns whose namespace is whose on the way.
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

// learn notes that namespace is gateway's. "default" is what every gateway uses that was not told otherwise, and proves nothing.
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

// plot is where a container's name is unique: one gateway has one sandbox of a name in a workspace of its namespace.
type plot struct{ namespace, workspace, name string }

func plotOf(c engine.Container) plot { return plot{c.Namespace, c.Workspace, c.SandboxName} }

// addStrays makes sandboxes of the containers that nobody claims. One that shares its plot with a sandbox whose id is proven is
// not another sandbox but a leftover of it, such as NemoClaw's GPU backup containers: said, not saved.
func (m *merge) addStrays(containers []engine.Container) {
	proven := map[plot]*entry{}
	for _, e := range m.entries {
		if e.ID != "" && len(e.claims) == 1 && e.claims[0].SandboxID == e.ID {
			proven[plotOf(e.claims[0])] = e
		}
	}
	var strays []*entry
	for _, c := range containers {
		if m.taken[c.ID] != nil {
			continue
		}
		if owner := proven[plotOf(c)]; owner != nil {
			m.warnings = append(m.warnings, fmt.Sprintf(
				"container %q carries the name of sandbox %q, but gateway %q gives it another id: it is not backed up", c.Name, owner.Name, owner.Gateway))
			continue
		}
		strays = m.addStray(strays, c)
	}
	m.entries = append(m.entries, strays...)
}

// addStray adds c to the stray of its plot, as one more that claims to be it, or as a new one.
func (m *merge) addStray(strays []*entry, c engine.Container) []*entry {
	for _, e := range strays {
		if plotOf(e.claims[0]) == plotOf(c) {
			m.give(e, c)
			return strays
		}
	}
	e := &entry{Sandbox: Sandbox{Name: c.SandboxName}}
	m.give(e, c)
	return append(strays, e)
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
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID))
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
