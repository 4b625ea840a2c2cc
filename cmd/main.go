// Package cmd is the command line of sandkeeper: flags in, rendered result out. A command is one file with its options,
// its constructor and a run function that returns a value; text and JSON are rendered from that one value.
package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/survey"

	"github.com/spf13/cobra"

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
	collectOften(s.Env)
	return run(ctx, args, newApp(args, s, extensions...))
}

// endings are the signals that end a run. Under nohup the end of a terminal is none.
func endings() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	}
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
}

// surviveReaders lets a run go on whose standard error nobody reads any more (`2>&1 | head`): the sandbox that it has
// in hand comes first, and a result that cannot be written is told by the exit status. Unlike an ignored signal, a
// caught one is no matter of children.
func surviveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

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
	end := ending{command: commandName(command), answer: a.answer, failure: failureOf(err), began: a.began, term: a.term}
	code := end.tell()
	if a.started {
		end.report(command, code, a.publish)
	}
	if a.endTrace != nil {
		a.endTrace(code, err)
	}
	return code
}

// app is one invocation: the parts that a command works with, and how far it has come.
type app struct {
	*ui.Streams
	term       *terminal
	host       *survey.Host // how this command looks at its host
	gate       *gatekeeper
	stores     *stores
	checks     *hostChecks
	settings   *settings
	extensions *extensions
	history    history
	global     globalOptions

	printed  *faithful             // what cobra prints: help and completion scripts
	endTrace func(ExitCode, error) // of the trace that the command began; nil when it began none

	started bool
	began   time.Time
	answer  *answer
	publish func() error // what a command writes for others after it has ended; nil without
}

func newApp(args []string, s *ui.Streams, linked ...lifecycle.Definition) *app {
	term := &terminal{Streams: s, json: wantsJSON(args, s)}
	host := &survey.Host{Env: s.Env, UID: s.UID, Warn: term.warn, Note: term.note}
	a := &app{
		Streams: s, term: term, host: host, gate: &gatekeeper{term, host}, stores: &stores{term: term, host: host}, settings: &settings{env: s.Env}, history: history{term},
	}
	a.checks = &hostChecks{term, host, a.stores}
	a.extensions = &extensions{term: term, host: host, settings: a.settings, linked: linked}
	host.Remembered = a.stores.addLaunch
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
		a.term.openLines(a.global.logJSON, commandName(c))
		c.SetContext(a.traced(c))
		offline, err := c.Flags().GetBool("offline")
		(&leftovers{a.term, a.host, a.stores}).clearUp(c.Context(), err != nil || !offline)
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
