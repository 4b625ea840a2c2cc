package cmd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/lifecycle"
)

const configLong = `A setting comes from the command line; else from the environment (SANDKEEPER_<FLAG>); else from the config file; else
it has its default. "show" prints each setting and where it came from. docs/config.md has every key.`

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Show every setting and where it came from", Long: configLong, Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newConfigShow(a))
	return c
}

func newConfigShow(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "Print each setting with where it came from", Annotations: exits(ExitOK, ExitUsage),
		Long: "Print each setting: its key in the config file, the value that counts now, and where that came from (the environment, the\n" +
			"file and its line, or the default). With -v, also which commands have it. The last line names the config file. Changes\n" +
			"nothing.",
		Example: "  sandkeeper config show\n  sandkeeper config show -v",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.do(func(context.Context) (*answer, error) { return (&configShow{app: a, root: c.Root()}).run() })(c, args)
	}
	return c
}

// configSetting is one setting as `config show` prints it.
type configSetting struct {
	Key      string   `json:"key"`
	Value    string   `json:"value"`
	From     string   `json:"from"` // "default", "environment variable NAME", or FILE:LINE
	Default  string   `json:"default"`
	Commands []string `json:"commands"`
}

// configShow is the command: root is the tree whose flags are the settings.
type configShow struct {
	app  *app
	root *cobra.Command
}

func (o *configShow) run() (*answer, error) {
	a, file := o.app, o.app.settings.file
	settings := []configSetting{}
	flags := allFlags(o.root)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		settings = append(settings, o.flag(flags[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(file.agents)) {
		s := file.agents[name]
		settings = append(settings, configSetting{"agents." + name + ".expected", s.value, fmt.Sprintf("%s:%d", file.path, s.line), "", []string{"upgrade-sandboxes"}})
	}

	links, _ := a.extensions.links() // a mistake was told at the start; the setting is shown as far as it could be read
	settings = append(settings, o.extensions(links))
	result := map[string]any{"file": file.path, "exists": file.text != nil, "settings": settings}
	return &answer{result: result, text: func(term *terminal) { renderConfig(term, settings, file) }}, nil
}

func (o *configShow) flag(f *pflag.Flag) configSetting {
	byDefault := defaultOf(o.root, f)
	s := configSetting{Key: configKey(f.Name), Value: byDefault, From: "default", Default: byDefault, Commands: commandsWith(o.root, f.Name)}
	if dir, err := o.app.stores.root(""); f.Name == "backup-dir" && err == nil {
		s.Value = dir
	}
	if value, source, set := o.app.settings.of(f.Name); set {
		s.Value, s.From = value, source
	}
	return s
}

func (o *configShow) extensions(links []lifecycle.Link) configSetting {
	var names []string
	for _, link := range links {
		names = append(names, link.Name)
	}
	file := o.app.settings.file
	s := configSetting{Key: "compute.extensions", Value: strings.Join(names, ","), From: "default", Commands: commandsWithExtensions(o.root)}
	if line := file.lines["compute\x00extensions"]; line > 0 {
		s.From = fmt.Sprintf("%s:%d", file.path, line)
	}
	if _, set := o.app.Env.Lookup(lifecycle.OverrideVariable); set {
		s.From = "environment variable " + lifecycle.OverrideVariable
	}
	return s
}

// commandsWithExtensions are those that run extensions: what creates or deletes sandboxes, and what backs them up.
func commandsWithExtensions(root *cobra.Command) []string {
	names := []string{"backup-all", "extensions reconcile"}
	for _, c := range allCommands(root) {
		_, always := c.Annotations[createsKey]
		_, asked := c.Annotations[createsWithKey]
		if always || asked {
			names = append(names, commandName(c))
		}
	}

	slices.Sort(names)
	return names
}

// defaultOf is a flag's default as the command line would spell it: an empty list is nothing.
func defaultOf(root *cobra.Command, f *pflag.Flag) string {
	return eachOf(root, f, func(f *pflag.Flag) string { return strings.TrimPrefix(f.DefValue, "[]") })
}

// eachOf is what the flags of f's name have in common; where the commands that have one differ, it names each, and those
// that agree together.
func eachOf(root *cobra.Command, f *pflag.Flag, what func(*pflag.Flag) string) string {
	var different []string
	commands := map[string][]string{} // by what their flag says
	for _, c := range allCommands(root) {
		own := c.LocalFlags().Lookup(f.Name)
		if own == nil || own.Annotations[byHand] != nil || what(own) == "" {
			continue
		}
		if !slices.Contains(different, what(own)) {
			different = append(different, what(own))
		}
		commands[what(own)] = append(commands[what(own)], commandName(c))
	}

	if len(different) < 2 {
		return what(f)
	}
	for i, each := range different {
		different[i] = strings.Join(commands[each], ", ") + ": " + each
	}
	return strings.Join(different, "; ")
}

func commandsWith(root *cobra.Command, flag string) []string {
	if root.PersistentFlags().Lookup(flag) != nil {
		return []string{"all"}
	}
	var names []string
	for _, c := range allCommands(root) {
		if f := c.LocalNonPersistentFlags().Lookup(flag); f != nil && f.Annotations[byHand] == nil {
			names = append(names, commandName(c))
		}
	}
	return names
}

func renderConfig(term *terminal, settings []configSetting, file config) {
	table := term.table()
	for _, s := range settings {
		row := []string{s.Key, cmp.Or(s.Value, "-"), s.From}
		if term.verbose > 0 {
			row = append(row, strings.Join(s.Commands, ", "))
		}
		table.Row(row...)
	}

	table.Print(term.Out, nil)
	switch {
	case file.path == "":
		term.printf("no config file: there is no home to look for it in")
	case file.text == nil:
		term.printf("no config file: %s does not exist", file.path)
	default:
		term.printf("config file: %s", file.path)
	}
}
