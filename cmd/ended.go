package cmd

import (
	"context"
	"encoding/json"
	"fmt"
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

// report tells of the end of a run those who asked for it: the history, the log, systemd's journal, and who is to hear
// of failures. What goes wrong here is a warning: it does not change how the run ended.
func (e *ending) report(c *cobra.Command, code ExitCode, publish func() error) {
	result, term := e.envelope(code, e.failure), e.term
	r := e.record(result)
	if isNoted(c) {
		term.note("%s", r.Sentence())
		term.orWarn(history{term}.remember(r))
		if term.Journal {
			term.orWarn(runlog.Tell(runlog.JournalSocket, r))
		}
	}

	term.orWarn(about("--log-json", term.lines.End(r)))
	if publish != nil && isNoted(c) {
		term.orWarn(publish())
	}
	if flag := c.Flags().Lookup("on-failure"); flag != nil && flag.Value.String() != "" && code != ExitOK {
		term.orWarn(e.onFailure(c.Context(), flag.Value.String(), result))
	}
}

// record sums the run up for the history.
func (e *ending) record(result envelope) runlog.Record {
	r := runlog.Record{
		At: e.began.UTC().Truncate(time.Second), Command: result.Command, ExitCode: int(result.ExitCode), TookMs: time.Since(e.began).Milliseconds(), PID: e.term.PID,
	}
	if result.Error != nil {
		r.Error = ui.Clean(result.Error.Message)
	}
	var known struct {
		Root   string          `json:"root"`
		Totals json.RawMessage `json:"totals"`
	}
	if text, err := json.Marshal(result.Result); err == nil && json.Unmarshal(text, &known) == nil {
		r.Root, r.Totals = known.Root, known.Totals
	}
	return r
}

// onFailure runs the operator's command, also after the run was interrupted.
func (e *ending) onFailure(ctx context.Context, line string, result envelope) error {
	var document strings.Builder
	if err := writeEnvelope(&document, result); err != nil {
		return fmt.Errorf("--on-failure: %w", err)
	}
	ran, err := command.Run(context.WithoutCancel(ctx), command.Command{
		Path: "/bin/sh", Args: []string{"-c", line}, Env: e.term.Env.All(), Timeout: onFailureLimit, Stdin: strings.NewReader(document.String()),
	})
	if said := strings.TrimSpace(ran.Combined()); said != "" {
		fmt.Fprintln(e.term.Err, ui.CleanLines(said))
	}
	if err == nil && ran.Exit != 0 {
		err = fmt.Errorf("it ended with exit status %d", ran.Exit)
	}
	if err != nil {
		return fmt.Errorf("--on-failure %q: %w", line, err)
	}
	return nil
}
