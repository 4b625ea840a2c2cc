package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/internal/command"
	"sandkeeper/internal/runlog"
	"sandkeeper/internal/ui"
)

// onFailureLimit is how long the command of --on-failure may take.
const onFailureLimit = 2 * time.Minute

// failureOptions are shared by the commands that run unattended.
type failureOptions struct {
	onFailure string
}

func (o *failureOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.onFailure, "on-failure", "", "run this with sh when the run ends with another code than 0; it gets the JSON result on its standard input")
}

// isNoted reports whether the history keeps runs of c: those that make, prove, use or remove backups, and not those
// that only look.
func isNoted(c *cobra.Command) bool {
	switch commandName(c) {
	case "backup-all", "backups verify", "backups drill", "backups prune", "restore", "upgrade-sandboxes":
	default:
		return false
	}

	for _, harmless := range []string{"check", "dry-run"} {
		if only, err := c.Flags().GetBool(harmless); err == nil && only {
			return false
		}
	}
	return true
}

// ended tells of the end of a run those who asked for it: the history, the log, systemd's journal, and who is to hear
// of failures. What goes wrong here is a warning: it does not change how the run ended.
func (a *app) ended(c *cobra.Command, code ExitCode, f *Failure) {
	if !a.started {
		return
	}
	e := a.envelope(commandName(c), code, f)
	r := recordOf(e, a)
	if isNoted(c) {
		a.term.note("%s", r.Sentence())
		a.term.orWarn(a.remember(r))
		if a.Journal {
			a.term.orWarn(runlog.Tell(runlog.JournalSocket, r))
		}
	}

	a.term.orWarn(a.term.lines.End(r))
	if a.publish != nil && isNoted(c) {
		a.term.orWarn(a.publish())
	}
	if flag := c.Flags().Lookup("on-failure"); flag != nil && flag.Value.String() != "" && code != ExitOK {
		a.term.orWarn(a.tellFailure(c.Context(), flag.Value.String(), e))
	}
}

// remember adds the run to the history of this user. Root with somebody's HOME keeps none.
func (a *app) remember(r runlog.Record) error {
	if a.Env.StateHome() == "" {
		return nil
	}
	if _, err := os.Stat(a.stateDir()); err != nil && r.ExitCode != int(ExitOK) && !a.Journal {
		return nil // by hand, a run that did nothing leaves nothing where none was before
	}
	err := runlog.Append(runlog.File(a.Env.StateHome()), r)
	if errors.Is(err, runlog.ErrNotOurs) {
		a.term.note("%v", err)
		return nil
	}
	return err
}

// recordOf sums a run up for the history.
func recordOf(e envelope, a *app) runlog.Record {
	r := runlog.Record{
		At: a.began.UTC().Truncate(time.Second), Command: e.Command, ExitCode: int(e.ExitCode), TookMs: time.Since(a.began).Milliseconds(), PID: a.PID,
	}
	if e.Error != nil {
		r.Error = ui.Clean(e.Error.Message)
	}
	var known struct {
		Root   string          `json:"root"`
		Totals json.RawMessage `json:"totals"`
	}
	if text, err := json.Marshal(e.Result); err == nil && json.Unmarshal(text, &known) == nil {
		r.Root, r.Totals = known.Root, known.Totals
	}
	return r
}

// tellFailure runs the operator's command, also after the run was interrupted.
func (a *app) tellFailure(ctx context.Context, line string, e envelope) error {
	var document strings.Builder
	if err := writeEnvelope(&document, e); err != nil {
		return fmt.Errorf("--on-failure: %w", err)
	}
	ran, err := command.Run(context.WithoutCancel(ctx), command.Command{
		Path: "/bin/sh", Args: []string{"-c", line}, Env: a.Env.All(), Timeout: onFailureLimit, Stdin: strings.NewReader(document.String()),
	})
	if said := strings.TrimSpace(ran.Combined()); said != "" {
		fmt.Fprintln(a.Err, ui.CleanLines(said))
	}
	if err == nil && ran.Exit != 0 {
		err = fmt.Errorf("it ended with exit status %d", ran.Exit)
	}
	if err != nil {
		return fmt.Errorf("--on-failure %q: %w", line, err)
	}
	return nil
}

// openLines begins the log of --log-json.
func (a *app) openLines(c *cobra.Command) {
	if a.global.logJSON == "" {
		return
	}
	lines, err := runlog.OpenLines(a.global.logJSON, commandName(c))
	if err != nil {
		a.term.warn("--log-json: %v; nothing is logged there", err)
		return
	}
	a.term.lines = lines
}
