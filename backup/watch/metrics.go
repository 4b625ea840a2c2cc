package watch

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// metric is one family of Prometheus' text format 0.0.4, with one value for each row that has one.
type metric struct {
	name, help string
	of         func(Row) (value string, has bool)
}

// perRow are the metrics of each sandbox. Times are seconds since 1970, as Prometheus counts them.
func perRow() []metric {
	return []metric{
		{"sandkeeper_backup_timestamp_seconds", "When the newest whole backup was started.", func(r Row) (string, bool) {
			if r.Newest == nil {
				return "", false
			}
			return seconds(r.Newest.Started), true
		}},
		{"sandkeeper_backup_bytes", "Size of the newest whole backup's archive.", func(r Row) (string, bool) {
			if r.Newest == nil {
				return "", false
			}
			return fmt.Sprint(r.Newest.Bytes), true
		}},
		{"sandkeeper_verified_backup_timestamp_seconds", "When the newest backup was started that has been read to its last byte.", func(r Row) (string, bool) {
			if r.Verified == nil {
				return "", false
			}
			return seconds(r.Verified.Started), true
		}},
		{"sandkeeper_drill_timestamp_seconds", "When a backup was last restored into a throw-away container.", func(r Row) (string, bool) {
			if r.Drilled == nil {
				return "", false
			}
			return seconds(r.Drilled.Drilled.At), true
		}},
		{"sandkeeper_drill_duration_seconds", "How long that took.", func(r Row) (string, bool) {
			if r.Drilled == nil {
				return "", false
			}
			return fmt.Sprint(float64(r.Drilled.Drilled.TookMs) / 1000), true
		}},
		{"sandkeeper_offhost_backup_timestamp_seconds", "When the newest backup was started that is off the host as well.", func(r Row) (string, bool) {
			if r.OffHost == nil {
				return "", false
			}
			return seconds(r.OffHost.Started), true
		}},
		{"sandkeeper_backups", "How many backups there are.", func(r Row) (string, bool) { return fmt.Sprint(r.Backups), true }},
		{"sandkeeper_damaged_backups", "How many of them have a manifest that cannot be believed.", func(r Row) (string, bool) {
			return fmt.Sprint(r.Damaged), true
		}},
	}
}

func seconds(at time.Time) string { return fmt.Sprint(at.Unix()) }

// Metrics writes the report for Prometheus' textfile collector. A sandbox of which no backup is verified has no timestamp
// of one: alert also on sandkeeper_backups unless that timestamp is there. Sandboxes that are gone are left out, so that
// no alert waits for them.
func (r Report) Metrics(w io.Writer) error {
	b := bufio.NewWriter(w)
	rows := slices.DeleteFunc(slices.Concat(r.Sandboxes, r.Gateways), func(row Row) bool { return row.State == Gone })
	for _, m := range perRow() {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for _, row := range rows {
			if value, has := m.of(row); has {
				fmt.Fprintf(b, "%s{%sgateway=%s,workspace=%s,sandbox=%s} %s\n", m.name, hostLabel(row), label(row.Gateway), label(row.Workspace), label(row.Sandbox), value)
			}
		}
	}

	type single struct {
		name, help string
		value      any
	}
	singles := []single{
		{"sandkeeper_sandboxes", "How many sandboxes there are.", r.Totals.Sandboxes},
		{"sandkeeper_store_bytes", "What all backups take.", r.Totals.Bytes},
		{"sandkeeper_status_timestamp_seconds", "When this was written.", r.At.Unix()},
	}
	if run := r.LastRun; run != nil {
		singles = append(singles,
			single{"sandkeeper_last_run_timestamp_seconds", "When the last backup-all began.", run.At.Unix()},
			single{"sandkeeper_last_run_exit_code", "How the last backup-all ended.", run.ExitCode},
			single{"sandkeeper_last_run_duration_seconds", "How long the last backup-all took.", float64(run.TookMs) / 1000})
	}

	for _, each := range singles {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s gauge\n%s %v\n", each.name, each.help, each.name, each.name, each.value)
	}
	return b.Flush()
}

// hostLabel is the label of a fleet's row; on one host the collector knows whose file it is.
func hostLabel(row Row) string {
	if row.Host == "" {
		return ""
	}
	return "host=" + label(row.Host) + ","
}

// label quotes a value as the text format wants it.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}
