package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
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
				return &answer{result: map[string]string{"roff": page.String()}, text: func(term *terminal) { fmt.Fprint(term.Out, page.String()) }}, nil
			})(c, args)
		},
	}
}

// writeManual writes one man(7) page for the whole tree. cobra/doc would link a Markdown parser for the same.
func writeManual(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH SANDKEEPER 1 \"\" \"sandkeeper %s\" \"User Commands\"\n", version().Version)
	fmt.Fprintf(w, ".SH NAME\nsandkeeper \\- %s\n", roff(root.Short))
	fmt.Fprint(w, ".SH SYNOPSIS\n.B sandkeeper\n\\fICOMMAND\\fR [\\fIFLAGS\\fR]\n")
	fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", roff(withoutExits(root.Long)))
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range manualCommands(root) {
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(useLine(c)), roff(withoutExits(c.Long)))
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { writeFlag(w, f) })
		if codes := c.Annotations[exitCodesKey]; codes != "" {
			fmt.Fprintf(w, ".PP\nExit status: %s.\n", strings.ReplaceAll(codes, " ", ", "))
		}
	}

	fmt.Fprint(w, ".SH GLOBAL FLAGS\n")
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { writeFlag(w, f) })
	fmt.Fprint(w, ".SH EXIT STATUS\n")
	for _, code := range exitCodes() {
		writeTerm(w, fmt.Sprint(int(code)), exitMeaning(code))
	}
	for _, section := range manualSections() {
		fmt.Fprintf(w, ".SH %s\n", section.title)
		for _, entry := range section.entries {
			writeTerm(w, entry[0], entry[1])
		}
	}

	fmt.Fprint(w, ".SH EXAMPLES\n")
	for _, c := range manualCommands(root) {
		if c.Example != "" {
			fmt.Fprintf(w, ".PP\n%s:\n.PP\n.nf\n%s\n.fi\n", roff(c.Short), roff(c.Example))
		}
	}

	fmt.Fprint(w, ".SH SEE ALSO\n.BR openshell (1),\n.BR docker (1),\n.BR podman (1)\n")
}

func manualCommands(root *cobra.Command) []*cobra.Command {
	var shown []*cobra.Command
	for _, c := range allCommands(root)[1:] {
		if !c.Hidden && c.Name() != "help" && (c.Parent() == nil || c.Parent().Name() != "completion") {
			shown = append(shown, c)
		}
	}
	return shown
}

// useLine is how the command is called; a group only with one of its commands.
func useLine(c *cobra.Command) string {
	if c.Annotations[groupKey] != "" {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

// withoutExits is a help text without the table of its exit codes, which the page has once.
func withoutExits(long string) string {
	text, _, _ := strings.Cut(long, "\n\nEXIT STATUS\n")
	return text
}

type manualSection struct {
	title   string
	entries [][2]string
}

// manualSections are what the flags do not say: where things lie, and what the environment changes. docs/config.md says
// it in full.
func manualSections() []manualSection {
	return []manualSection{
		{"FILES", [][2]string{
			{"~/.config/sandkeeper/config.toml", "Settings; every flag is a key. sandkeeper config show prints each with where it came from. $XDG_CONFIG_HOME moves it."},
			{"~/.local/share/sandkeeper/backups", "The backups, unless --backup-dir names another folder. $XDG_DATA_HOME moves it. Owner-only; a backup is whole when its folder has a manifest.json."},
			{"~/.local/state/sandkeeper", "Journals of pauses, restores and upgrades, from which a killed run is made whole by the next one; state of extensions. $XDG_STATE_HOME moves it."},
			{"~/.nemoclaw/sandboxes.json", "NemoClaw's registry; it is only read."},
			{"~/.config/openshell", "OpenShell's registrations of gateways and its credentials; they are only read, and saved with a gateway's state."},
		}},
		{"ENVIRONMENT", [][2]string{
			{"SANDKEEPER_<FLAG>", "The value of a flag that is not on the command line, in capitals with _ for -: SANDKEEPER_BACKUP_DIR is --backup-dir."},
			{"NEMOCLAW_GATEWAY_PORT, NEMOCLAW_OPENSHELL_BIN, NEMOCLAW_OPENSHELL_GATEWAY_BIN, NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR", "As NemoClaw reads them: the gateway that is meant, the programs, and the folder with the gateway's marker and database."},
			{"NEMOCLAW_REQUIRE_ALL_SANDBOX_BACKUPS=1, NEMOCLAW_SKIP_UNREACHABLE_SANDBOX_BACKUP=1", "--strict and --skip-unreachable of backup-all."},
			{"OPENSHELL_COMPUTE_EXTENSIONS", "The active lifecycle extensions, joined by commas, in place of the config file's list."},
			{"DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG", "Which container engine is asked, as for docker."},
			{"OTEL_EXPORTER_OTLP_ENDPOINT", "Where spans are sent; without it none are."},
			{"NO_COLOR, TERM", "No colour when NO_COLOR is set, or TERM is dumb."},
		}},
	}
}

func writeFlag(w io.Writer, f *pflag.Flag) {
	short := ""
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	usage := f.Usage
	if !slices.Contains([]string{"", "false", "[]", "0", "0s"}, f.DefValue) && !strings.Contains(usage, "(default") {
		usage += " (default " + f.DefValue + ")"
	}
	value := ""
	if f.NoOptDefVal == "" {
		value = " " + strings.ToUpper(strings.Replace(f.Value.Type(), "stringSlice", "values", 1))
		if picked, ok := f.Value.(*choice); ok {
			value = " " + picked.Type()
		}
	}

	writeTerm(w, short+"--"+f.Name+value, usage)
}

// writeTerm writes a term and, indented below it, what it means.
func writeTerm(w io.Writer, term, meaning string) {
	fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(term), roff(meaning))
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
