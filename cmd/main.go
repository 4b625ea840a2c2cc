// Package cmd is the command line of sandkeeper: flags in, rendered result out. A command is one file with its options,
// its constructor and a run function that returns a value; text and JSON are rendered from that one value.
package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/survey"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"sandkeeper/internal/runlog"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle"
	"sandkeeper/preflight"
)

// Main runs one command line and returns its exit code; it never ends the process itself. A downstream hands in the
// lifecycle extensions that its build links beside the built-in ones.
func Main(args []string, s *ui.Streams, extensions ...lifecycle.Definition) ExitCode {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once; the guard process then unpauses
	return run(ctx, args, newApp(args, s, extensions...))
}

// endings are the signals that end a run. Under nohup the end of a terminal is none.
func endings() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	}
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
}

func run(ctx context.Context, args []string, a *app) ExitCode {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetErr(a.Err)
	command, err := root.ExecuteContextC(ctx)
	if a.printed.err != nil { // of help, or of a completion script
		err = &Failure{Code: ExitRefused, Kind: "internal", Err: fmt.Errorf("write the result: %w", a.printed.err)}
	}
	if err != nil && !a.started { // unknown command, bad flag, wrong arguments: nothing has run yet
		err = asUsage(err)
	}
	failure := failureOf(err)
	code := a.finish(commandName(command), failure)
	a.ended(command, code, failure)
	if a.endTrace != nil {
		a.endTrace(code, err)
	}
	return code
}

// app is one invocation: where it talks, what was asked of it, and what it has to say at the end.
type app struct {
	*ui.Streams
	term   *terminal
	host   *survey.Host // how this command looks at its host
	global globalOptions
	config config
	linked []lifecycle.Definition // extensions of a downstream, beside the built-in ones

	printed  *faithful             // what cobra prints: help and completion scripts
	endTrace func(ExitCode, error) // of the trace that the command began; nil when it began none

	backupDir string // where backups are, also for a command without --backup-dir; "" is the default

	started bool
	began   time.Time
	answer  *answer
	publish func() error // what a command writes for others after it has ended; nil without
}

func newApp(args []string, s *ui.Streams, linked ...lifecycle.Definition) *app {
	a := &app{Streams: s, term: &terminal{Streams: s, json: wantsJSON(args, s)}, linked: linked}
	a.host = &survey.Host{Env: s.Env, UID: s.UID, Warn: a.term.warn, Note: a.term.note, Remembered: a.addLaunch}
	return a
}

// answer is what a command has found out, before it is text or JSON.
type answer struct {
	preflight *preflight.Report
	result    any
	text      func(*terminal) // writes the result to Out; nil when there is nothing to add to the error
	done      bool            // what was asked for came about: an interruption that was heard since changes nothing of it
}

// do marks the line between "could not understand you" (exit 2) and "tried".
func (a *app) do(run func(context.Context) (*answer, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := a.prepare(c); err != nil {
			return err
		}
		if slices.Contains(args, "") {
			return usage("give a name, or leave the argument out", "an argument is empty")
		}
		a.started, a.began = true, time.Now()
		a.openLines(c)
		c.SetContext(a.traced(c))
		offline, err := c.Flags().GetBool("offline")
		leftovers{a}.clearUp(c.Context(), err != nil || !offline)
		found, err := run(c.Context())
		a.answer = found
		_, waited := errors.AsType[*store.LockedError](err)
		done := err == nil && found != nil && found.done
		if (err == nil || waited) && !done && c.Context().Err() != nil {
			err = context.Cause(c.Context())
		}
		return err
	}
}

// finish renders the one answer, then the error, and gives the exit code.
func (a *app) finish(command string, f *Failure) ExitCode {
	code := ExitOK
	if f != nil {
		code = f.Code
	}
	if f != nil && code == ExitOK { // somebody said no, which is no error
		fmt.Fprintln(a.Err, ui.CleanLines(f.Error()))
		f = nil
	}
	if a.term.json {
		return a.finishJSON(command, code, f)
	}
	if err := a.printAnswer(); err != nil {
		fmt.Fprintln(a.Err, "error: write the result:", err)
		code = max(code, ExitRefused)
	}
	if f != nil && !f.Said {
		fmt.Fprintln(a.Err, a.term.priority(runlog.PrefixError)+a.term.paintErr(color.FgRed, "error: ")+ui.CleanLines(f.Error()))
		if f.Hint != "" {
			fmt.Fprintln(a.Err, "hint: "+strings.ReplaceAll(ui.CleanLines(f.Hint), "\n", "\n      "))
		}
	}

	return code
}

// printAnswer writes the text form. A result that could not be written was not given: the error is the writer's first
// one.
func (a *app) printAnswer() error {
	if a.answer == nil || a.answer.text == nil {
		return nil
	}
	out := &faithful{to: a.Out}
	streams := *a.Streams
	streams.Out = out
	term := *a.term
	term.Streams = &streams
	a.answer.text(&term)
	return out.err
}

// faithful remembers the first error of the stream that it writes to.
type faithful struct {
	to  io.Writer
	err error
}

// Write writes on and remembers the first refusal.
func (f *faithful) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	if f.err == nil {
		f.err = err
	}
	return n, err
}

func (a *app) finishJSON(command string, code ExitCode, f *Failure) ExitCode {
	if a.answer == nil && f == nil { // help, completion: they have printed what was asked for
		return code
	}
	if err := writeEnvelope(a.Out, a.envelope(command, code, f)); err != nil {
		fmt.Fprintln(a.Err, "error: write the result:", err)
		return max(code, ExitRefused)
	}
	return code
}

// envelope is the result as JSON has it.
func (a *app) envelope(command string, code ExitCode, f *Failure) envelope {
	e := envelope{Schema: schema, Command: command, OK: f == nil, ExitCode: code}
	if f != nil {
		e.Error = &envelopeError{Kind: f.Kind, Message: f.Error(), Hint: f.Hint}
	}
	if a.answer != nil {
		e.Preflight, e.Result = a.answer.preflight, a.answer.result
	}
	return e
}

func asUsage(err error) error {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return usage("sandkeeper --help lists commands and flags", "%w", err)
}

// commandName is how JSON names a command: its path without the program, "backups list".
func commandName(c *cobra.Command) string {
	if c == nil {
		return ""
	}
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	return name
}

// wantsJSON looks for the wish for JSON before cobra parses, so that usage errors obey it too.
func wantsJSON(args []string, s *ui.Streams) bool {
	json, output := isTrue(s.Env.Get("SANDKEEPER_JSON")), s.Env.Get("SANDKEEPER_OUTPUT")
	for i, arg := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		name, value, given := strings.Cut(arg, "=")
		switch {
		case arg == "--":
			return json || output == "json"
		case name == "--json":
			json = !given || isTrue(value)
		case arg == "--output":
			output = next
		case name == "--output":
			output = value
		case !strings.HasPrefix(arg, "--"):
			if form, said := shortOutput(arg, next); said {
				output = form
			}
		}
	}
	return json || output == "json"
}

// shortOutput is the value of -o in arg, which may stand among other short flags ("-qojson"), or be followed by it.
func shortOutput(arg, next string) (form string, said bool) {
	flags, isFlags := strings.CutPrefix(arg, "-")
	at := strings.IndexAny(flags, "ogj") // the short flags that take a value: what follows the first of them belongs to it
	if !isFlags || at < 0 || flags[at] != 'o' {
		return "", false
	}
	form = strings.TrimPrefix(flags[at+1:], "=")
	return cmp.Or(form, next), true
}
