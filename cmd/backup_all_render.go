package cmd

import (
	"fmt"
	"strings"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
)

// renderBackupAll prints one line per sandbox, what was left out, and the summary lines that installers grep
// (docs/design.md 4.3).
func renderBackupAll(term *terminal, r *backedUp, err error) {
	s := r.Summary
	if r.empty && len(s.Sandboxes) == 0 {
		term.printf("No sandboxes registered. Nothing to back up.")
		if s.LookedAt != "" {
			fmt.Fprintln(term.Err, "container engines that were looked at: "+ui.Clean(s.LookedAt))
		}
		return
	}

	if err != nil && len(s.Sandboxes) == 0 {
		return
	}
	table := term.table()
	for _, o := range s.Sandboxes {
		table.Row(string(o.Status), o.Address(), outcomeDetail(o))
	}
	if table.Len() == 0 {
		term.printf("No sandbox to back up.")
		renderLookedAt(term, s)
	} else {
		table.Print(term.Out, func(first, line string) string {
			return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
		})
	}

	for _, warning := range s.Warnings {
		term.printf("warning: %s", warning)
	}
	renderOmitted(term, s)
	renderWays(term, s)
	renderOrphans(term, s)
	renderGatewayStates(term, s.GatewayState)
	renderOff(term, r.OffHost, s.DryRun)
	t := s.Totals
	if s.DryRun {
		term.printf("Dry run: %s would be backed up to %s. %s", sandboxCount(t.Planned), s.Root, term.nothing("written"))
		return
	}
	term.printf("Pre-upgrade backup: %d backed up, %d failed, %d skipped", t.BackedUp, t.Failed, t.Skipped)
	if t.BackedUp > 0 {
		term.printf("Backups stored in: %s", s.Root)
	}
}

// renderLookedAt says where sandboxes were looked for: "none" is said of those places only.
func renderLookedAt(term *terminal, s backup.Summary) {
	if s.LookedAt != "" {
		term.printf("Container engines that were looked at: %s", s.LookedAt)
	}
}

func outcomeDetail(o backup.Outcome) string {
	if o.Backup == nil {
		return o.Reason
	}
	read := size.Text(o.Backup.Content) + " read"
	if o.Backup.ContentOf != "" {
		read = size.Text(o.Backup.Content) + " unchanged since backup " + o.Backup.ContentOf
	}
	how := string(o.Backup.Consistency)
	if o.Backup.Way != "" {
		how += ", " + string(o.Backup.Way)
	}
	detail := fmt.Sprintf("%s, %s, %s, %s on disk, id %s", how, fileCount(o.Backup.Files), read, size.Text(o.Backup.Bytes), o.Backup.ID)
	for _, extra := range append([]string{o.Reason}, o.Warnings...) {
		if extra != "" {
			detail += "; " + extra
		}
	}

	return detail
}

// omittedShown is how many left-out entries of one sandbox are printed; all of them are in its manifest.
const omittedShown = 10

func renderOmitted(term *terminal, s backup.Summary) {
	for _, o := range s.Sandboxes {
		for i, e := range o.Omitted {
			if i == omittedShown {
				term.printf("not in the backup of %s: %d more, see: sandkeeper backups show %s", o.Address(), len(o.Omitted)-i, o.Address())
				break
			}
			term.printf("not in the backup of %s: %s (%s)", o.Address(), e.Path, e.Reason)
		}
	}
}

func renderOrphans(term *terminal, s backup.Summary) {
	var names []string
	for _, o := range s.Sandboxes {
		if o.Status == store.Orphaned {
			names = append(names, ui.Clean(o.Address()))
		}
	}

	if len(names) == 0 {
		return
	}
	term.printf("%d recorded sandbox(es) were not found on their recorded gateway: %s.", len(names), strings.Join(names, ", "))
	term.printf("Their gateway registration or container may have been removed; restore brings back what was saved of them: sandkeeper backups list")
}
