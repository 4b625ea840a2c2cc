package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globalOptions are those flags of every command that are read once, when it begins. The others are set where they count: in
// the terminal and in the host.
type globalOptions struct {
	output  string
	json    bool
	logJSON string
}

const rootLong = `sandkeeper is run before, during and after an OpenShell upgrade.

It answers three questions: may I trust this gateway now (preflight), is every sandbox's state safe (backup-all), and can I move
the sandboxes to the new version (upgrade-sandboxes). Whenever the answer would be a guess it refuses and says what to do.

Every flag has an environment twin SANDKEEPER_<FLAG>; defaults can be set in $XDG_CONFIG_HOME/sandkeeper/config.toml.`

// newRoot builds the command tree. It touches nothing: --help and version need no Docker, no config and no HOME.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "sandkeeper", Short: "Keep OpenShell sandboxes safe through an upgrade", Long: rootLong,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		RunE: func(c *cobra.Command, _ []string) error {
			if asked, _ := c.Flags().GetBool("version"); asked {
				return tellVersion(c, a.term.json)
			}
			return usage("sandkeeper --help lists them", "a command is needed")
		},
	}
	root.Flags().Bool("version", false, "print the version")
	a.addGlobalFlags(root.PersistentFlags())
	root.AddCommand(
		newPreflight(a, nil), newBackupAll(a, nil), newUpgradeSandboxes(a, nil), newRestore(a, nil), newStatus(a, nil), newBackups(a), newSchedule(a), newFleet(a),
		newDiagnose(a, nil), newMigrate(a), newGateway(a), newExtensions(a), newConfig(a), newVersion(a), newMan(a), newGuard(a),
	)
	a.printed = &faithful{to: a.Out}
	root.SetOut(a.printed) // before the completion command is made, which keeps it
	if a.term.json {
		tellInJSON(root)
	}
	root.SetFlagErrorFunc(mistyped)
	root.SetUsageFunc(withoutGroups(root.UsageFunc()))
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range allCommands(root) {
		shareRules(c)
		completions{a}.offer(c)
		addExitStatus(c)
	}

	return root
}

// shareRules gives c what every command has: arguments as its usage line says, and as a group an answer when called
// alone.
func shareRules(c *cobra.Command) {
	if c.Args == nil || c.HasSubCommands() || c.Parent().Name() == "completion" {
		c.Args = takes
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.RunE = whichOne
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[groupKey] = "yes"
	}
}

// groupKey is the annotation of a command that does nothing by itself: its usage line is that of its commands alone.
const groupKey = "group"

// withoutGroups leaves the usage line out that a group, called alone, answers with an error. A template of cobra's could
// say the same: but templates find methods by their names, and the linker then keeps every exported method of every
// library, a fifth of the program.
func withoutGroups(usual func(*cobra.Command) error) func(*cobra.Command) error {
	return func(c *cobra.Command) error {
		if c.Annotations[groupKey] == "" {
			return usual(c)
		}
		run := c.RunE
		c.RunE = nil
		defer func() { c.RunE = run }()
		return usual(c)
	}
}

func (a *app) addGlobalFlags(flags *pflag.FlagSet) {
	g, host, term := &a.global, a.host, a.term
	choiceVarP(flags, &g.output, "output", "o", []string{"text", "json"}, "form of the result")
	flags.BoolVar(&g.json, "json", term.json, "the same as -o json: one document on standard output")
	flags.StringVarP(&host.Gateway, "gateway", "g", "", "only this gateway (default: the one the sandboxes are recorded on)")
	flags.StringVar(&host.Workspace, "workspace", "", "only this workspace (default: all; a name can also be written WORKSPACE/NAME)")
	choiceVar(flags, &term.color, "color", []string{"auto", "always", "never"}, "colour on a terminal, everywhere, or nowhere")
	flags.BoolVarP(&term.quiet, "quiet", "q", false, "no progress on standard error; preflight prints only what is not ok")
	flags.CountVarP(&term.verbose, "verbose", "v", "say on standard error what was looked at, with what came out and how long it took")
	flags.StringVar(&g.logJSON, "log-json", "", "add what happens to this file, one JSON object a line")
	flags.DurationVar(&host.ProbeTimeout, "probe-timeout", 0, "time limit of each look at the host (default 15s, 5s for Docker)")
}

// prepare completes the options of c from the environment and the config file, and judges the global ones.
func (a *app) prepare(c *cobra.Command) error {
	set := a.settings
	var err error
	if set.file, err = readConfig(a.Env, a.UID, allFlags(c.Root()), set.needs(c)); err != nil {
		return err
	}
	for _, problem := range set.file.passedOver {
		a.term.warn("passed over, for --offline does without it: %v", problem)
	}
	if err := set.complete(c.Flags()); err != nil {
		return err
	}
	a.stores.dir = set.backupDir(c.Flags())
	if a.host.ProbeTimeout < 0 {
		return usage("give a duration such as 20s", "--probe-timeout must not be negative")
	}
	a.term.json = a.global.json || a.global.output == "json"
	if err := noEmptyValues(c.Flags()); err != nil {
		return err
	}
	return a.extensions.judge(c)
}

// isTrue reads a switch as the flags do.
func isTrue(value string) bool {
	on, err := strconv.ParseBool(value)
	return err == nil && on
}

func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, child := range c.Commands() {
		all = append(all, allCommands(child)...)
	}
	return all
}

// exitCodes of a command are kept in its annotations, so that its help and a test read the same list.
const exitCodesKey = "exit-codes"

func exits(codes ...ExitCode) map[string]string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = strconv.Itoa(int(code))
	}
	return map[string]string{exitCodesKey: strings.Join(words, " ")}
}

func addExitStatus(c *cobra.Command) {
	list := strings.Fields(c.Annotations[exitCodesKey])
	if len(list) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString("\n\nEXIT STATUS\n")
	for _, word := range list {
		code, _ := strconv.Atoi(word)
		fmt.Fprintf(&b, "  %-4s %s\n", word, exitMeaning(ExitCode(code)))
	}

	c.Long = strings.TrimRight(c.Long, "\n") + strings.TrimRight(b.String(), "\n")
}
