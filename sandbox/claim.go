package sandbox

import (
	"cmp"
	"fmt"
	"slices"

	"sandkeeper/engine"
)

// matchByName gives the containers that no id decided to the sandboxes of their name label. Rows with an invalid
// binding come last: they must not take what belongs to a sandbox whose gateway is known.
func (m *merge) matchByName(containers []engine.Container) {
	bound, unbound := map[string][]*entry{}, map[string][]*entry{}
	for _, e := range m.entries {
		switch {
		case len(e.claims) > 0 || e.otherDriver():
		case e.Row != nil && e.Row.BindingErr != nil:
			unbound[e.Name] = append(unbound[e.Name], e)
		default:
			bound[e.Name] = append(bound[e.Name], e)
		}
	}

	for _, claimants := range []map[string][]*entry{bound, unbound} {
		free := map[string][]engine.Container{}
		for _, c := range containers {
			if m.taken[c.ID] == nil {
				free[c.SandboxName] = append(free[c.SandboxName], c)
			}
		}

		for name, entries := range claimants {
			m.settle(entries, free[name])
			m.share(entries, free[name])
		}
	}
}

// settle gives a row the workspace of its containers, where no gateway was asked and all of that name are in one: a row
// says none.
func (m *merge) settle(entries []*entry, free []engine.Container) {
	if len(free) == 0 || m.asked {
		return
	}
	workspace := workspaceOf(free[0])
	if slices.ContainsFunc(free, func(c engine.Container) bool { return workspaceOf(c) != workspace }) {
		return
	}
	for _, e := range entries {
		if !m.keys[Key{e.Gateway, workspace, e.Name}] {
			e.Workspace = workspace
		}
	}
}

// otherDriver reports a sandbox that its row puts where no container engine of this host can hold it.
func (e *entry) otherDriver() bool {
	return e.Row != nil && (e.Row.OpenshellDriver == "kubernetes" || e.Row.OpenshellDriver == "vm")
}

// gatewayOf is the gateway that c's namespace proves or, where several claim the name, the gateway that made it.
func (m *merge) gatewayOf(c engine.Container, claimants []*entry) string {
	if len(claimants) > 1 {
		return cmp.Or(m.spaces[c.Namespace], m.origins[c.ID])
	}
	return m.spaces[c.Namespace]
}

// share settles one name: first by what tells whose a container is, then what is left. Several claimants or
// several containers, and nothing to tell them apart: each claims all, and all are ambiguous.
func (m *merge) share(entries []*entry, free []engine.Container) {
	var rest []*entry
	for _, e := range entries {
		own := e.possible(free, func(c engine.Container) bool { return e.Gateway != "" && m.gatewayOf(c, entries) == e.Gateway })
		if len(own) == 0 {
			rest = append(rest, e)
		}
		for _, c := range own {
			m.give(e, c)
		}
	}

	var rivals []*entry
	for _, e := range rest {
		e.claims = e.possible(free, func(c engine.Container) bool { return m.taken[c.ID] == nil && !m.foreign(c, e) })
		if len(e.claims) > 0 {
			rivals = append(rivals, e)
		}
	}

	for _, e := range rivals {
		e.contested = others(rivals, e)
		for _, c := range e.claims {
			m.taken[c.ID] = e
		}
	}
}

// foreign reports whether c lies in the namespace of another gateway that has a sandbox of that name itself.
func (m *merge) foreign(c engine.Container, e *entry) bool {
	owner := m.spaces[c.Namespace]
	return owner != "" && owner != e.Gateway && m.keys[Key{owner, e.Workspace, e.Name}]
}

// possible are the containers among free that may be e's: none whose id or workspace is another than the gateway gives.
func (e *entry) possible(free []engine.Container, accept func(engine.Container) bool) []engine.Container {
	return slices.DeleteFunc(slices.Clone(free), func(c engine.Container) bool {
		return !accept(c) || differ(e.ID, c.SandboxID) || e.Workspace != workspaceOf(c)
	})
}

// differ reports that both are stated and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

func others(all []*entry, me *entry) []string {
	var words []string
	for _, e := range all {
		if e != me {
			words = append(words, fmt.Sprintf("%q on gateway %q", e.Name, e.Gateway))
		}
	}
	return words
}
