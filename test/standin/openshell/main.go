package openshell

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// Main runs one call and returns its exit status. args are the words after the program's name, env the whole
// environment.
func Main(args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	path := variable(env, "OPENSHELL_STANDIN")
	script, err := load(path)
	if err != nil {
		fmt.Fprintf(stderr, "openshell stand-in: OPENSHELL_STANDIN: %v\n", err)
		return 70
	}
	calls, err := script.logged(args)
	if err != nil {
		fmt.Fprintf(stderr, "openshell stand-in: %v\n", err)
		return 70
	}
	if a, found := script.answer(args, calls); found {
		pause, _ := time.ParseDuration(a.Delay)
		time.Sleep(pause)
		if a.Stdout != "" || a.Stderr != "" || a.Exit != 0 {
			fmt.Fprint(stdout, a.Stdout)
			fmt.Fprint(stderr, a.Stderr)
			return a.Exit
		}
	}

	c := &call{script: script, env: env, stdin: stdin, out: stdout, err: stderr}
	return c.end(c.run(args))
}

// call is one run of the program.
type call struct {
	script Script
	env    []string
	words  words
	stdin  io.Reader
	out    io.Writer
	err    io.Writer
}

func variable(env []string, name string) string {
	value := ""
	for _, entry := range env {
		if v, found := strings.CutPrefix(entry, name+"="); found {
			value = v
		}
	}
	return value
}

// since reports whether the command line played is at least 0.0.patch.
func (c *call) since(patch uint64) bool { return gateway.Since(c.script.Version, patch) }

func (c *call) run(args []string) error {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-V") {
		fmt.Fprintf(c.out, "openshell %s\n", c.script.Version)
		return nil
	}
	var err error
	if c.words, err = c.parse(args); err != nil {
		return err
	}
	return c.commands()[c.words.command](c)
}

// end prints how the run failed, as the real program does, and returns its exit status.
func (c *call) end(err error) int {
	if err == nil {
		return 0
	}
	if remote, ok := errors.AsType[exitStatus](err); ok {
		return int(remote)
	}
	if wrong, ok := errors.AsType[usage](err); ok {
		fmt.Fprintf(c.err, "error: %s\n\nUsage: %s\n\nFor more information, try '--help'.\n", wrong.message, wrong.line)
		return 2
	}
	chain := strings.Split(err.Error(), "\x00")
	if variable(c.env, "NO_GRAPHICS") == "1" {
		c.plain(chain)
	} else {
		c.graphical(chain)
	}

	return 1
}

// plain is miette's narratable report.
func (c *call) plain(chain []string) {
	fmt.Fprintf(c.err, "Error: %s\n    Diagnostic severity: error\n", chain[0])
	for _, cause := range chain[1:] {
		fmt.Fprintf(c.err, "    Caused by: %s\n", cause)
	}
	fmt.Fprintln(c.err)
}

// graphical is miette's report for people: wrapped, with a gutter. Without UTF-8 in the locale the gutter is ASCII.
func (c *call) graphical(chain []string) {
	cross, bar, branch, last := "×", "│", "├─▶", "╰─▶"
	locale := variable(c.env, "LC_ALL") + variable(c.env, "LC_CTYPE") + variable(c.env, "LANG")
	if !strings.Contains(strings.ToLower(strings.ReplaceAll(locale, "-", "")), "utf8") {
		cross, bar, branch, last = "x", "|", "|->", "`->"
	}
	fmt.Fprintf(c.err, "Error:   %s %s\n", cross, strings.Join(wrap(chain[0]), "\n  "+bar+" "))
	for i, cause := range chain[1:] {
		mark := branch
		if i == len(chain)-2 {
			mark = last
		}
		fmt.Fprintf(c.err, "  %s %s\n", mark, cause)
	}

	fmt.Fprintln(c.err)
}

// wrap breaks a message into lines of at most 74 characters, the 80 columns less the gutter.
func wrap(text string) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.SplitSeq(paragraph, " ") {
			if line != "" && len(line)+1+len(word) > 74 {
				lines = append(lines, line)
				line = word
				continue
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}

		lines = append(lines, line)
	}
	return lines
}

// exitStatus is the status of a command that ran in a sandbox; it is the program's own.
type exitStatus int

// Error is what os/exec would say of it.
func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// failure is an error with its chain of causes, outermost first.
func failure(chain ...string) error { return errors.New(strings.Join(chain, "\x00")) }
