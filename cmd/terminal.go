package cmd

import (
	"fmt"
	"strings"

	"github.com/fatih/color"

	"sandkeeper/internal/runlog"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
)

// terminal is what a person sees of a command: the lines of its result on Out, and on Err what helps on the way there.
type terminal struct {
	*ui.Streams
	json    bool          // the result is one JSON document; what people read goes to Err alone
	color   string        // --color
	quiet   bool          // -q
	verbose int           // -v, counted
	lines   *runlog.Lines // of --log-json; nil without
	cleared cleared       // what this command has put right before it began
}

// warn says on standard error what the operator should know and what does not stop the run.
func (t *terminal) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.lines.Warn(ui.Clean(text))
	fmt.Fprintln(t.Err, t.priority(runlog.PrefixWarning)+t.paintErr(color.FgYellow, "warning: ")+ui.CleanLines(text))
}

// cleared is what a command has put right of what killed runs had left.
type cleared struct {
	something bool // a container was unpaused or started, or what follows
	data      bool // a restore was ended or taken back
}

func (c *cleared) note(something, data bool) {
	c.something, c.data = c.something || something || data, c.data || data
}

// nothing says as a sentence that nothing was done, such as "changed".
func (t *terminal) nothing(done string) string {
	text := t.nothingWas(done)
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// nothingWas says that nothing was done: of this command, where it has put something right before.
func (t *terminal) nothingWas(done string) string {
	if t.cleared.something {
		return "apart from what a killed run had left, nothing was " + done
	}
	return "nothing was " + done
}

// orWarn says what went wrong where that does not stop the run.
func (t *terminal) orWarn(err error) {
	if err != nil {
		t.warn("%v", err)
	}
}

// priority is what begins a line for systemd's journal, so that it knows warnings and errors; nothing where the journal
// does not read.
func (t *terminal) priority(prefix string) string {
	if t.Journal {
		return prefix
	}
	return ""
}

// note says on standard error what helps with -v.
func (t *terminal) note(format string, args ...any) {
	if t.verbose > 0 {
		fmt.Fprintln(t.Err, ui.CleanLines(fmt.Sprintf(format, args...)))
	}
}

// printf writes a line of the result.
func (t *terminal) printf(format string, args ...any) {
	fmt.Fprintln(t.Out, ui.CleanLines(fmt.Sprintf(format, args...)))
}

func fileCount(n int) string    { return size.Count(n, "file", "files") }
func backupCount(n int) string  { return size.Count(n, "backup", "backups") }
func sandboxCount(n int) string { return size.Count(n, "sandbox", "sandboxes") }

// table is an empty table for the result, folded to the terminal where the result goes to one.
func (t *terminal) table() ui.Table {
	if !t.OutTTY {
		return ui.Table{}
	}
	return ui.Table{Width: t.Width}
}

// openLines begins the log of --log-json.
func (t *terminal) openLines(file, command string) {
	if file == "" {
		return
	}
	lines, err := runlog.OpenLines(file, command)
	if err != nil {
		t.warn("--log-json: %v; nothing is logged there", err)
		return
	}
	t.lines = lines
}
