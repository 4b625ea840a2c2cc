package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/migrate"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
)

func importOutcome(ctx context.Context, r migrate.Import) error {
	t := r.Totals
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case t.Failed == 0:
		return nil
	case t.Imported+t.Present > 0:
		return &Failure{
			Code: ExitPartial, Kind: kindPartial, Err: fmt.Errorf("%d of %d sandboxes are not imported", t.Failed, t.Total),
			Hint: "each is named above with its reason; correct it and run the same command again: what is there is recognised",
		}
	}
	return &Failure{
		Code: ExitRefused, Kind: kindPartial, Err: fmt.Errorf("no sandbox is imported: %d failed", t.Failed),
		Hint: "each is named above with its reason; correct it and run the same command again",
	}
}

func renderImport(term *terminal, r migrate.Import, by *migrate.Importer) {
	table := term.table()
	for _, status := range []migrate.Status{migrate.Failed, migrate.Gone, migrate.ImportedNow, migrate.Present} {
		for _, m := range r.Sandboxes {
			if m.Status == status {
				table.Row(string(m.Status), sandbox.Address(m.Workspace, m.Name), importText(m))
			}
		}
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
	for _, m := range r.Sandboxes {
		address := sandbox.Address(m.Workspace, m.Name)
		for _, item := range m.Lost {
			term.printf("%s: not carried: %s: %s", address, item.Code, item.Detail)
		}
		if hint := importHint(m, by); hint != "" {
			term.printf("%s: %s", address, hint)
		}
	}

	for _, item := range r.Lost {
		term.printf("the gateway itself: not carried: %s: %s", item.Code, item.Detail)
	}
	t := r.Totals
	term.printf("Migration import: %d imported, %d present, %d gone, %d failed", t.Imported, t.Present, t.Gone, t.Failed)
	if len(r.Removable) > 0 {
		term.printf("Nothing of 0.0.x was removed. Look at each sandbox; the old containers of those that are whole are %s", strings.Join(r.Removable, ", "))
	}
}

func importText(m migrate.ImportedMember) string {
	var parts []string
	if m.As != m.Name {
		parts = append(parts, "as "+m.As)
	}
	switch {
	case m.Reason != "":
		parts = append(parts, m.Reason)
	case m.Status == migrate.Present:
		parts = append(parts, "it is there, made by an earlier import")
	case m.Running:
		parts = append(parts, "from backup "+m.Backup+", and left running")
	default:
		parts = append(parts, "from backup "+m.Backup+", and left stopped, as it was")
	}
	return strings.Join(parts, ": ")
}

// importHint is what to do about a sandbox that failed, where the reason does not say it.
func importHint(m migrate.ImportedMember, by *migrate.Importer) string {
	if m.Err() == nil {
		return ""
	}
	if exists, ok := errors.AsType[*recreate.ExistsError](m.Err()); ok {
		return fmt.Sprintf("that sandbox is not one that an import has made: give this one another name (--rename %s=OTHER), or put its home into the one that is there: sandkeeper restore %s --backup %s --to %s%s",
			sandbox.Address(m.Workspace, m.Name), sandbox.Address(m.Workspace, m.Name), m.Backup, exists.Sandbox.Address(), by.StoreFlag)
	}
	if f := failureOf(notMade(m.Err(), by.Again)); f.Hint != "" {
		return strings.ReplaceAll(f.Hint, "\n", "; ")
	}
	if text := m.Err().Error(); strings.Contains(text, "driver config") || strings.Contains(text, "bind mounts") {
		return "open the gateway's configuration as `sandkeeper migrate plan` says, or add --without-driver-config"
	}
	return ""
}
