package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"sandkeeper/engine"
)

// plot is where a container's name is unique: one gateway has one sandbox of a name in a workspace of its namespace.
type plot struct{ namespace, workspace, name string }

func plotOf(c engine.Container) plot { return plot{c.Namespace, workspaceOf(c), c.SandboxName} }

// workspaceOf is a container's workspace: before OpenShell 0.0.88 it says none.
func workspaceOf(c engine.Container) string { return cmp.Or(c.Workspace, DefaultWorkspace) }

// findOrigins asks for the gateways of the containers that no list names by their id.
func (l *look) findOrigins(ctx context.Context, s Sources) {
	l.origins = map[string]string{}
	if s.Origin == nil {
		return
	}
	listed := map[string]bool{"": true}
	for _, rows := range l.lists {
		for _, row := range rows {
			listed[row.ID] = true
		}
	}

	for _, c := range l.containers {
		if !listed[c.SandboxID] {
			l.origins[c.ID] = s.Origin(ctx, c, l.companionOf(c))
		}
	}
}

// addStrays makes sandboxes of the containers that nobody claims. One that shares its plot with a sandbox whose id is
// proven is not another sandbox but a leftover of it, such as NemoClaw's GPU backup containers: said, not saved.
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
		if owner := proven[plotOf(c)]; owner != nil && !differ(m.origins[c.ID], owner.Gateway) {
			m.warnings = append(m.warnings, fmt.Sprintf(
				"container %q carries the name of sandbox %q, but gateway %q gives it another id: it is not backed up", c.Name, owner.Address(), owner.Gateway))
			continue
		}

		strays = m.addStray(strays, c)
	}

	m.entries = append(m.entries, strays...)
}

// addStray adds c to the stray of its plot, as one more that claims to be it, or as a new one. Containers of different
// gateways are different sandboxes.
func (m *merge) addStray(strays []*entry, c engine.Container) []*entry {
	origin := m.origins[c.ID]
	for _, e := range strays {
		if plotOf(e.claims[0]) == plotOf(c) && !differ(e.Gateway, origin) {
			e.Gateway = cmp.Or(e.Gateway, origin)
			m.give(e, c)
			return strays
		}
	}

	e := &entry{Sandbox: Sandbox{Name: c.SandboxName, Workspace: workspaceOf(c), Gateway: origin}}
	m.give(e, c)
	return append(strays, e)
}

// limit leaves out what is of another gateway or workspace than was asked for. A container whose gateway is not known
// may be of another: it is left out as well, and said.
func (m *merge) limit(s Sources) {
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool {
		switch {
		case e.elsewhere:
			return false
		case s.Workspace != "" && e.Workspace != s.Workspace:
			return true
		case s.Only == "" || e.Gateway == s.Only:
			return false
		case e.Gateway == "" && e.Row == nil:
			m.warnings = append(m.warnings, fmt.Sprintf(
				"container %s may be of another gateway than %q: it is left out", strings.Join(e.claimNames(), " and "), s.Only))
		}
		return true
	})
}
