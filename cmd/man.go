package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Annotations: exits(ExitOK, ExitUsage),
		Long:    "Print the manual page in roff. To read it: sandkeeper man | man -l -",
		Example: "  sandkeeper man | man -l -",
		RunE: func(c *cobra.Command, args []string) error {
			return a.pure(func(context.Context) (*answer, error) {
				var page strings.Builder
				writeManual(&page, c.Root())
				return &answer{result: map[string]string{"roff": page.String()}, text: func(a *app) { fmt.Fprint(a.Out, page.String()) }}, nil
			})(c, args)
		},
	}
}

// writeManual writes one man(7) page for the whole tree. cobra/doc would link a Markdown parser for the same.
func writeManual(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH SANDKEEPER 1\n.SH NAME\nsandkeeper \\- %s\n.SH DESCRIPTION\n%s\n", roff(root.Short), roff(root.Long))
	fmt.Fprint(w, ".SH GLOBAL FLAGS\n")
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { writeFlag(w, f) })
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range allCommands(root)[1:] {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(c.UseLine()), roff(c.Long))
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { writeFlag(w, f) })
	}
}

func writeFlag(w io.Writer, f *pflag.Flag) {
	short := ""
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(short+"--"+f.Name), roff(f.Usage))
}

// roff protects text from being read as requests: backslashes, dashes, and dots and quotes that begin a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
		if line == "" {
			lines[i] = ".PP"
		}
	}
	return strings.Join(lines, "\n")
}
