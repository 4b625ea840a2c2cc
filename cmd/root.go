package cmd

import (
	"errors"
	"fmt"
	"slices"
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
				return a.tellVersion(c)
			}
			return usage("sandkeeper --help lists them", "a command is needed")
		},
	}
	root.Flags().Bool("version", false, "version for sandkeeper")
	a.addGlobalFlags(root.PersistentFlags())
	root.AddCommand(
		newPreflight(a, nil), newBackupAll(a, nil), newUpgradeSandboxes(a, nil), newRestore(a, nil), newStatus(a, nil), newBackups(a), newSchedule(a),
		newDiagnose(a, nil), newMigrate(a), newGateway(a), newExtensions(a), newConfig(a), newVersion(a), newMan(a), newGuard(a),
	)
	a.printed = &faithful{to: a.Out}
	root.SetOut(a.printed) // before the completion command is made, which keeps it
	a.tellInJSON(root)
	root.SetFlagErrorFunc(mistyped)
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
	var err error
	if a.config, err = readConfig(a.Env, a.UID, allFlags(c.Root()), a.needs(c)); err != nil {
		return err
	}
	for _, problem := range a.config.passedOver {
		a.term.warn("passed over, for --offline does without it: %v", problem)
	}
	if err := a.complete(c.Flags()); err != nil {
		return err
	}
	a.backupDir = a.backupDirOf(c.Flags())
	if a.host.ProbeTimeout < 0 {
		return usage("give a duration such as 20s", "--probe-timeout must not be negative")
	}
	a.term.json = a.global.json || a.global.output == "json"
	if err := noEmptyValues(c.Flags()); err != nil {
		return err
	}
	return extensions{a}.judge(c)
}

// needs says which keys of the config file c cannot do without; nil is every key. Under --offline they are those that
// say what is saved, where, and how it is guarded: that is the way out of a broken host, and a mistake in another key
// must not bar it.
func (a *app) needs(c *cobra.Command) func(key string) bool {
	offline := c.Flags().Lookup("offline")
	if offline == nil {
		return nil
	}
	on := a.Env.Get(twin("offline"))
	if offline.Changed {
		on = offline.Value.String()
	}
	if !isTrue(on) {
		return nil
	}
	guards := []string{"backup_dir", "encrypt_to", "allow_plaintext", "only", "exclude", "skip_path", "gateway", "workspace"}
	return func(key string) bool { return slices.Contains(guards, key) }
}

// complete gives every flag that was not on the command line its environment twin's value, or else the config file's.
func (a *app) complete(flags *pflag.FlagSet) error {
	var problem error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Annotations[byHand] != nil || problem != nil {
			return
		}
		name := twin(f.Name)
		value, set := a.Env.Lookup(name)
		source := "environment variable " + name
		if !set || value == "" {
			value, source, set = a.config.flag(f.Name)
		}
		if !set {
			return
		}
		err := flags.Set(f.Name, value)
		if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			problem = invalidValue(source, invalid)
		} else if err != nil {
			problem = usage("see the flag --"+f.Name, "%s: %w", source, err)
		}
	})
	return problem
}

// noEmptyValues refuses --only "$NAME" with NAME unset: it would mean every sandbox, --to "" the sandbox itself,
// --encrypt-to "" a plain archive.
func noEmptyValues(flags *pflag.FlagSet) error {
	for _, flag := range []string{"only", "exclude", "encrypt-to", "seal-to"} {
		values, err := flags.GetStringSlice(flag)
		if err == nil && flags.Changed(flag) && (len(values) == 0 || slices.Contains(values, "")) {
			return usage("give values, or leave the flag out", "--%s has an empty value", flag)
		}
	}

	for _, flag := range []string{"gateway", "workspace", "backup-dir", "backup", "to", "identity", "gateway-state", "store", "store-host"} {
		value, err := flags.GetString(flag)
		if err == nil && flags.Changed(flag) && value == "" {
			return usage("give a value, or leave the flag out", "--%s is empty", flag)
		}
	}
	return nil
}

// twin is the environment variable that stands for a flag.
func twin(flag string) string {
	return "SANDKEEPER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
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
		words[i] = fmt.Sprint(int(code))
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
		var code ExitCode
		_, _ = fmt.Sscan(word, (*int)(&code))
		fmt.Fprintf(&b, "  %-4s %s\n", word, exitMeaning(code))
	}

	c.Long = strings.TrimRight(c.Long, "\n") + strings.TrimRight(b.String(), "\n")
}
