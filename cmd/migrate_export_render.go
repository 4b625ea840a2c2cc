package cmd

import (
	"fmt"
	"strings"

	"sandkeeper/migrate"
	"sandkeeper/sandbox"
)

func exportOutcome(e migrate.Export, err error) error {
	t := e.Totals
	switch {
	case err != nil || t.Failed == 0:
		return nil
	case t.Exported > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("%d of %d sandboxes are not exported", t.Failed, t.Total),
			Hint: "each is named above with its reason; correct it and run the same command again before anything of 0.0.x is uninstalled",
		}
	}
	return &Failure{
		Code: ExitRefused, Kind: "backup_content_error", Err: fmt.Errorf("no sandbox is exported: %d failed", t.Failed),
		Hint: "each is named above with its reason; uninstall nothing of 0.0.x before they are exported",
	}
}

func renderExport(term *terminal, e migrate.Export) {
	table := term.table()
	for _, status := range []migrate.Status{migrate.Failed, migrate.Exported} {
		for _, m := range e.Sandboxes {
			if m.Status != status {
				continue
			}
			detail := "backup " + m.Backup + ", " + wasText(m)
			if m.Reason != "" {
				detail = m.Reason
			}
			table.Row(string(m.Status), sandbox.Address(m.Workspace, m.Name), detail)
		}
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
	for _, m := range e.Sandboxes {
		for _, item := range m.Refused {
			term.printf("%s: a gateway of 0.1.x refuses %s: %s; %s", sandbox.Address(m.Workspace, m.Name), item.Code, item.Detail, item.Fix)
		}
	}

	for _, warning := range e.Warnings {
		term.printf("warning: %s", warning)
	}
	for _, p := range e.Providers {
		term.printf("enter again on the new gateway: provider %s (%s): %s", p.Name, p.Type, orDash(strings.Join(p.Credentials, ", ")))
	}
	term.printf("Migration export: %d exported, %d failed", e.Totals.Exported, e.Totals.Failed)
	if e.Set != "" {
		term.printf("Set: %s", e.Set)
	}
	if e.Totals.Failed == 0 {
		term.printf("Nothing was removed. What to do next: sandkeeper migrate plan -g %s", e.Gateway)
	}
}

func wasText(m migrate.ExportedMember) string {
	if m.WasRunning {
		return "stopped now; it ran, and runs again after the import"
	}
	return "it was stopped, and stays so"
}
