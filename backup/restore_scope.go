package backup

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Scope is how much of a backup is restored.
type Scope string

// The scopes.
const (
	ScopeFull  Scope = "full"  // the whole home
	ScopeState Scope = "state" // the agent's state only: what NemoClaw would carry over to a new image
)

// stateOf lists what holds an agent's state, relative to the home; a last component that ends in "*" stands for all names with that
// beginning. It is the union of what NemoClaw's agent manifests of June and August 2026 keep (docs/facts/nemoclaw.md
// 9.4).
func stateOf(agent string) (below string, items []string) {
	switch agent {
	case "", "openclaw":
		return ".openclaw", []string{
			"agents", "extensions", "workspace", "workspace-*", "skills", "hooks", "identity", "devices", "canvas", "cron", "memory",
			"telegram", "wechat", "whatsapp", "credentials", "openclaw.json",
		}
	case "hermes":
		return ".hermes", []string{
			"memories", "lazy-packages", "sessions", "skills", "plugins", "cron", "scripts", "logs", "skins", "plans", "workspace",
			"profiles", "cache", "pairing", "dashboard-home", "platforms", "weixin", "SOUL.md", ".hermes_history",
			"runtime/state.db", "runtime/cron-executions.db", "gateway/discord_message_recovery.db", "kanban.db",
		}
	case "langchain-deepagents-code":
		return ".deepagents", []string{".state", "skills", "agent/skills", "config.toml"}
	case "pi":
		return ".pi/agent", []string{"sessions", "prompts", "themes", "settings.json"}
	}
	return "", nil
}

// selection is what of a backup is restored: some roots, each replaced as a whole.
type selection struct {
	roots []string        // names in the archive; "." is the whole home
	above map[string]bool // folders above a root that the target lacks, and which are made from the backup
}

func choose(m *Manifest, scope Scope, targetAgent string) (*selection, error) {
	switch scope {
	case ScopeFull:
		return &selection{roots: []string{"."}}, nil
	case ScopeState:
	default:
		return nil, fmt.Errorf("scope %q is neither %q nor %q", scope, ScopeState, ScopeFull)
	}
	agent := orElse(m.Agent, targetAgent)
	if targetAgent != "" && m.Agent != "" && targetAgent != m.Agent {
		return nil, fmt.Errorf("the backup is of agent %q and the target runs %q: their state is not the same", m.Agent, targetAgent)
	}
	below, items := stateOf(agent)
	if len(items) == 0 {
		return nil, fmt.Errorf("where agent %q keeps its state is not known; --scope full restores the whole home", agent)
	}
	pick := &selection{}
	for _, e := range m.Index.Entries {
		if isStateItem(e.Name(), below, items) {
			pick.roots = append(pick.roots, e.Name())
		}
	}
	if len(pick.roots) == 0 {
		return nil, fmt.Errorf("the backup has none of the state of agent %q (%s)", orElse(agent, "openclaw"), below)
	}
	return pick, nil
}

func isStateItem(name, below string, items []string) bool {
	rest, ok := strings.CutPrefix(name, below+"/")
	return ok && slices.ContainsFunc(items, func(item string) bool {
		if prefix, glob := strings.CutSuffix(item, "*"); glob {
			return strings.HasPrefix(rest, prefix) && !strings.Contains(rest, "/")
		}
		return rest == item
	})
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
