package cmd

import (
	"fmt"

	"github.com/fatih/color"

	"sandkeeper/internal/runlog"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
)

// warn says on standard error what the operator should know and what does not stop the run.
func (a *app) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.lines.Warn(ui.Clean(text))
	fmt.Fprintln(a.Err, a.priority(runlog.PrefixWarning)+a.paintErr(color.FgYellow, "warning: ")+ui.CleanLines(text))
}

// priority is what begins a line for systemd's journal, so that it knows warnings and errors; nothing where the journal
// does not read.
func (a *app) priority(prefix string) string {
	if a.Journal {
		return prefix
	}
	return ""
}

// note says on standard error what helps with -v.
func (a *app) note(format string, args ...any) {
	if a.global.verbose > 0 {
		fmt.Fprintln(a.Err, ui.CleanLines(fmt.Sprintf(format, args...)))
	}
}

// printf writes a line of the result.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintln(a.Out, ui.CleanLines(fmt.Sprintf(format, args...)))
}

func fileCount(n int) string    { return size.Count(n, "file", "files") }
func backupCount(n int) string  { return size.Count(n, "backup", "backups") }
func sandboxCount(n int) string { return size.Count(n, "sandbox", "sandboxes") }

// table is an empty table for the result, folded to the terminal where the result goes to one.
func (a *app) table() ui.Table {
	if !a.OutTTY {
		return ui.Table{}
	}
	return ui.Table{Width: a.Width}
}
