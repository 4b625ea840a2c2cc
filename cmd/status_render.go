package cmd

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"

	"sandkeeper/backup/watch"
	"sandkeeper/internal/private"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
)

// renderStatus says of what the report is, and where its commands find the backups.
func renderStatus(term *terminal, r watch.Report, of, where string) {
	table := term.table()
	columns := statusColumns{gateways: severalStatusGateways(r.Sandboxes), narrow: table.Width > 0 && table.Width < 90}
	rows := slices.Concat(r.Sandboxes, r.Gateways)
	if len(rows) > 0 {
		table.Row(columns.pick("STATE", "SANDBOX", "GATEWAY", "NEWEST", "SIZE", "CONSISTENCY", "VERIFIED", "DRILLED", "OFF-HOST", "BACKUPS")...)
	}
	for _, row := range rows {
		table.Row(columns.of(row, r.At)...)
	}
	table.Print(term.Out, paintState(term))
	for _, row := range rows {
		for _, reason := range oddities(row, where) {
			term.printf("%s: %s", row.Address(), reason)
		}
	}

	t := r.Totals
	if t.Sandboxes+t.Gone == 0 {
		term.printf("No sandbox%s was found, and no backup of one.", of)
	} else {
		term.printf("%s: %s", size.Count(t.Sandboxes, "sandbox", "sandboxes"), stateCounts(t))
	}

	if t.Backups > 0 {
		term.printf("%s, %s in all, of which the last 7 days added %s%s",
			size.Count(t.Backups, "backup", "backups"), size.Text(t.Bytes), size.Text(t.LastWeek), watch.RetiredText(t.Retired))
		renderOffHost(term, r)
	}

	if r.LastRun != nil {
		term.printf("Last run: %s ago, %s", ui.Age(r.At.Sub(r.LastRun.At)), ended(*r.LastRun))
	}
	term.printf("Backups stored in: %s", r.Root)
}

// renderOffHost says of how many sandboxes something is left when the host is not.
func renderOffHost(term *terminal, r watch.Report) {
	places, off := map[string]bool{}, 0
	for _, row := range r.Sandboxes {
		if row.OffHost != nil && row.State != watch.Gone {
			off++
			places[row.OffHost.Synced.Store] = true
		}
	}
	switch {
	case off > 0:
		term.printf("Off the host as well: backups of %d of %s, in %s", off, sandboxCount(r.Totals.Sandboxes), joinWords(slices.Sorted(maps.Keys(places))))
	case private.Local(r.Root) == nil:
		term.printf("All of them are on this host: what takes the host takes the backups.")
	}
}

func ofGateway(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of gateway %q", ui.Clean(name))
}

func inWorkspace(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" in workspace %q", ui.Clean(name))
}

// oddities are what a person should know about a row beside its table cells.
func oddities(row watch.Row, where string) []string {
	var said []string
	if row.Reason != "" {
		said = append(said, row.Reason)
	}
	if row.Damaged > 0 {
		said = append(said, fmt.Sprintf("%s; sandkeeper backups list %s%s names them", damagedText(row), row.Address(), where))
	}
	if row.State == watch.Unverified {
		said = append(said, fmt.Sprintf("backup %s is not verified; sandkeeper backups verify --read-data%s reads every byte of it", row.Newest.ID, where))
	}
	return said
}

func damagedText(row watch.Row) string {
	return size.Count(row.Damaged, "of its backups is damaged", "of its backups are damaged")
}

func stateCounts(t watch.Totals) string {
	var said []string
	for _, each := range []struct {
		n    int
		what string
	}{
		{t.OK, "ok"},
		{t.None, "without a backup"},
		{t.Damaged, "with damaged backups only"},
		{t.Old, "too old"},
		{t.Unverified, "not verified"},
		{t.Gone, "more that are gone"},
	} {
		if each.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", each.n, each.what))
		}
	}
	return cmp.Or(strings.Join(said, ", "), "nothing to say")
}

// paintState colours the state that begins a line.
func paintState(term *terminal) func(first, line string) string {
	return func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(stateColor(watch.State(first)), first), 1)
	}
}

func stateColor(s watch.State) color.Attribute {
	switch s {
	case watch.OK:
		return color.FgGreen
	case watch.None, watch.Damaged, watch.Old:
		return color.FgRed
	case watch.Unverified:
		return color.FgYellow
	}
	return color.Reset
}

// severalStatusGateways reports whether sandboxes of more than one gateway are listed: only then it matters which.
func severalStatusGateways(rows []watch.Row) bool {
	gateways := map[string]bool{}
	for _, row := range rows {
		if row.Gateway != "" {
			gateways[row.Gateway] = true
		}
	}
	return len(gateways) > 1
}

// statusColumns are what of a row is shown: the gateway where there are several, and on a narrow terminal only what one
// looks for first.
type statusColumns struct{ gateways, narrow bool }

func (c statusColumns) of(row watch.Row, now time.Time) []string {
	newest, bytes, consistency := "-", "-", "-"
	if b := row.Newest; b != nil {
		newest, bytes, consistency = ui.Age(now.Sub(b.Started)), size.Text(b.Bytes), string(b.Consistency)
	}
	return c.pick(string(row.State), row.Address(), orDash(row.Gateway), newest, bytes, consistency, verifiedWhen(row, now), drilledWhen(row, now), offHostAge(row, now), fmt.Sprint(row.Backups))
}

// verifiedWhen is when a backup was last read to its last byte; where that is not the newest one, it says how old that
// backup is.
func verifiedWhen(row watch.Row, now time.Time) string {
	switch {
	case row.Verified == nil:
		return "never"
	case row.Newest != nil && row.Newest.ID != row.Verified.ID:
		return "one of " + ui.Age(now.Sub(row.Verified.Started))
	}
	return ui.Age(now.Sub(row.Verified.Verified.At)) + " ago"
}

// drilledWhen is when a backup was last restored into a throw-away container, and how long that took.
func drilledWhen(row watch.Row, now time.Time) string {
	if row.Drilled == nil {
		return "never"
	}
	return fmt.Sprintf("%s ago (%s)", ui.Age(now.Sub(row.Drilled.Drilled.At)), tookText(row.Drilled.Drilled.TookMs))
}

// offHostAge is how old the newest backup is that is off the host as well.
func offHostAge(row watch.Row, now time.Time) string {
	if row.OffHost == nil {
		return "never"
	}
	return ui.Age(now.Sub(row.OffHost.Started))
}

func (c statusColumns) pick(row ...string) []string {
	const gateway, consistency, offHost, backups = 2, 5, 8, 9
	var shown []string
	for column, cell := range row {
		if column == gateway && !c.gateways || c.narrow && (column == consistency || column == offHost || column == backups) {
			continue
		}
		shown = append(shown, cell)
	}
	return shown
}

// publish writes the report to the files that were asked for. Each becomes visible whole.
func (o *statusOptions) publish(r watch.Report) error {
	var problems error
	for _, each := range []struct {
		flag, file string
		write      func(io.Writer) error
	}{
		{"--html", o.html, r.Page}, {"--metrics", o.metrics, r.Metrics},
	} {
		if each.file != "" {
			problems = joined(problems, publish(each.flag, each.file, each.write))
		}
	}
	return problems
}
