package store

import (
	"slices"
	"strings"
)

// StateOf lists what holds an agent's state, relative to the home; a last component that ends in "*" stands for all
// names with that beginning. It is the union of what NemoClaw's agent manifests of June and August 2026 keep
// (docs/facts/nemoclaw.md 9.4).
func StateOf(agent string) (below string, items []string) {
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

// IsStateItem reports whether name, in a home, is one of the items of an agent's state below a folder (see StateOf).
func IsStateItem(name, below string, items []string) bool {
	rest, ok := strings.CutPrefix(name, below+"/")
	return ok && slices.ContainsFunc(items, func(item string) bool {
		if prefix, glob := strings.CutSuffix(item, "*"); glob {
			return strings.HasPrefix(rest, prefix) && !strings.Contains(rest, "/")
		}
		return rest == item
	})
}
