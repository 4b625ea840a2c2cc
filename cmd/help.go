package cmd

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newHelp is cobra's help command, except that help about what is not there is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]...", Short: "Help about any command", Args: cobra.ArbitraryArgs,
		Long:        "Print the help of a command: what it does, its flags and its exit codes. `sandkeeper COMMAND --help` prints the same.",
		Annotations: exits(ExitOK, ExitUsage),
		RunE: func(c *cobra.Command, args []string) error {
			topic := c.Root()
			for _, word := range args {
				child := childNamed(topic, word)
				if child == nil && topic.HasSubCommands() {
					return unknownCommand(topic, word)
				}
				if child == nil {
					return usage(topic.CommandPath()+" --help shows its help", "%s has no command %q", topic.CommandPath(), word)
				}
				topic = child
			}

			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			topic := c.Root()
			for _, word := range args {
				if topic = childNamed(topic, word); topic == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}

			var names []cobra.Completion
			for _, child := range topic.Commands() {
				if child.IsAvailableCommand() && strings.HasPrefix(child.Name(), begun) {
					names = append(names, cobra.CompletionWithDesc(child.Name(), child.Short))
				}
			}

			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// tellInJSON makes help the one document that standard output is promised to carry.
func tellInJSON(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		fmt.Fprint(c.OutOrStdout(), document("help", map[string]string{"help": cmp.Or(c.Long, c.Short) + "\n\n" + c.UsageString()}))
	})
}

// document is the JSON of a command that only tells something.
func document(command string, result any) string {
	var b strings.Builder
	_ = writeEnvelope(&b, envelope{Schema: schema, Command: command, OK: true, Result: result}) // a builder takes everything
	return b.String()
}

// tellVersion is --version: without a command, and without a look at anything.
func tellVersion(c *cobra.Command, asJSON bool) error {
	text := version().String() + "\n"
	if asJSON {
		text = document("version", version())
	}
	_, err := io.WriteString(c.OutOrStdout(), text)
	return err
}

func childNamed(parent *cobra.Command, name string) *cobra.Command {
	for _, child := range parent.Commands() {
		if child.Name() == name || child.HasAlias(name) {
			return child
		}
	}
	return nil
}
