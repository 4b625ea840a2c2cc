package cmd

import (
	"fmt"
	"strings"

	"sandkeeper/internal/ui"
	"sandkeeper/upgrade"
)

// renderCheck prints the sandboxes, worst first, each with what is behind about it.
func renderCheck(a *app, s upgrade.CheckSummary) {
	if len(s.Sandboxes) == 0 {
		a.printf("No sandboxes found. Nothing to upgrade.")
		return
	}
	var table ui.Table
	for _, state := range []upgrade.CheckState{upgrade.Orphaned, upgrade.Unknown, upgrade.Stale, upgrade.Current} {
		for _, c := range s.Sandboxes {
			if c.State == state {
				table.Row(string(c.State), c.Name, runningWord(c.Running), reasonsText(c))
			}
		}
	}
	table.Print(a.Out, func(first, line string) string {
		return strings.Replace(line, first, a.paintOut(statusColor(first), first), 1)
	})
	for _, warning := range s.Warnings {
		a.printf("warning: %s", warning)
	}
	t := s.Totals
	a.printf("Upgrade check: %d current, %d stale, %d unknown, %d orphaned", t.Current, t.Stale, t.Unknown, t.Orphaned)
	switch {
	case t.Stale > 0:
		a.printf("Nothing was changed. To rebuild the stale ones: sandkeeper upgrade-sandboxes")
	case s.NeedsAttention():
		a.printf("Nothing was changed. Unknown and orphaned sandboxes are never rebuilt by themselves.")
	}
}

func runningWord(running bool) string {
	if running {
		return "running"
	}
	return "stopped"
}

func reasonsText(c upgrade.Checked) string {
	var parts []string
	for _, r := range c.Reasons {
		text := r.Code
		if r.Current != "" || r.Expected != "" {
			text = fmt.Sprintf("%s %s, expected %s", r.Code, orDash(r.Current), orDash(r.Expected))
		}
		if r.Detail != "" {
			text += " (" + r.Detail + ")"
		}
		parts = append(parts, text)
	}
	if c.Detail != "" {
		parts = append(parts, c.Detail)
	}
	return strings.Join(parts, "; ")
}
