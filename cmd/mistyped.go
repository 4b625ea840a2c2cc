package cmd

import (
	"errors"
	"slices"
	"strings"

	"sandkeeper/internal/text"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mistyped turns what the parser says of a flag into a sentence for whoever typed it, with what was probably meant.
func mistyped(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if typed := c.Flags().Args(); c.HasSubCommands() && len(typed) > 0 {
		return unknownCommand(c, typed[0]) // the flags belong to a command that is none
	}
	help := c.CommandPath() + " --help shows its flags"
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(c, unknown, help)
	}
	if lacking, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage(help, "--%s needs a value", lacking.GetFlag().Name)
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return invalidValue("--"+invalid.GetFlag().Name, invalid)
	}
	if bad, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usage(help, "%q is no flag", bad.GetSpecifiedFlag())
	}
	return usage(help, "%w", err)
}

func unknownFlag(c *cobra.Command, unknown *pflag.NotExistError, help string) error {
	if unknown.GetSpecifiedShortnames() != "" {
		return usage(help, "unknown flag -%s", unknown.GetSpecifiedName())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	name := "--" + unknown.GetSpecifiedName()
	return usage(meant(text.Nearest(name, names))+help, "unknown flag %s", name)
}

// unknownCommand is for a word that is no command of group, at whatever level that stands.
func unknownCommand(group *cobra.Command, word string) error {
	where := ""
	if group.HasParent() {
		where = " of " + group.CommandPath()
	}
	return usage(meant(meantCommands(group, word))+group.CommandPath()+" --help lists its commands", "unknown command %q%s", word, where)
}

// meantCommands are the commands of group that word resembles; else those of any level, so that "list" leads to
// "backups list".
func meantCommands(group *cobra.Command, word string) []string {
	var near, elsewhere []string
	for _, c := range allCommands(group.Root())[1:] {
		if c.Hidden {
			continue
		}
		names := append([]string{c.Name()}, append(c.Aliases, c.SuggestFor...)...)
		if len(text.Nearest(word, names)) == 0 {
			continue
		}
		if c.Parent() == group {
			near = append(near, c.CommandPath())
		} else {
			elsewhere = append(elsewhere, c.CommandPath())
		}
	}

	if len(near) > 0 {
		return near
	}
	return elsewhere
}

func meant(names []string) string {
	if len(names) == 0 || len(names) > 4 {
		return ""
	}
	return "did you mean " + strings.Join(names, " or ") + "?\n"
}

// invalidValue says of a value what was expected. name is where it was given: a flag, or an environment variable.
func invalidValue(name string, invalid *pflag.InvalidValueError) error {
	what, example := expectation(invalid.GetFlag())
	hint := ""
	switch {
	case invalid.GetFlag().Value.Type() == "stringSlice":
		hint = "for instance one,two"
	case example != "":
		hint = "for instance " + strings.Trim(example, `"`)
	}
	return usage(hint, "%s: %s is expected, not %q", name, what, invalid.GetValue())
}

// takes judges the arguments of a command by the words after its name in Use: those in brackets may be left out.
func takes(c *cobra.Command, args []string) error {
	if c.HasSubCommands() && len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	words := strings.Fields(c.Use)[1:]
	needed := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "[") })
	if needed < 0 {
		needed = len(words)
	}
	hint := "usage: " + c.UseLine() + "\n" + c.CommandPath() + " --help says more"
	switch {
	case len(args) < needed:
		return usage(hint, "%s: %s is missing", c.CommandPath(), strings.Join(words[len(args):needed], " "))
	case len(words) == 0 && len(args) > 0:
		return usage(hint, "%s takes no arguments, and %q was given", c.CommandPath(), args[0])
	case len(args) > len(words):
		return usage(hint, "%s: %q is one argument too many", c.CommandPath(), args[len(words)])
	}

	return nil
}

// whichOne answers a group that was called without one of its commands.
func whichOne(c *cobra.Command, _ []string) error {
	var names []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}

	last := len(names) - 1
	if last == 0 {
		return usage("did you mean "+c.CommandPath()+" "+names[0]+"?", "%s is no command by itself", c.CommandPath())
	}
	return usage(c.CommandPath()+" --help says what each does",
		"which one: %s or %s?", strings.Join(names[:last], ", "), names[last])
}
