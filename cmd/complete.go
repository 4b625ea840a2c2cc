package cmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle/builtin"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// completions are the values that a shell offers for arguments and flags.
type completions struct{ app *app }

// offer gives the arguments and flags of c their completions. A completion looks at files only, never at an engine or a
// gateway, and says nothing when it cannot know: it must never print.
func (o completions) offer(c *cobra.Command) {
	if words := strings.Fields(c.Use)[1:]; c.ValidArgsFunction == nil && !c.HasSubCommands() && len(words) > 0 {
		c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) >= len(words) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return o.offerFor(c, strings.Trim(words[len(args)], "[]"), args)
		}
	}
	offerFlag := func(f *pflag.Flag) {
		if f.Value.Type() == "bool" || f.Name == "help" {
			return
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if picked, ok := f.Value.(*choice); ok {
				return picked.words, cobra.ShellCompDirectiveNoFileComp
			}
			return o.offerFor(c, "--"+f.Name, args)
		}) // refused only for a flag that has one already
	}
	c.Flags().VisitAll(offerFlag)
	c.PersistentFlags().VisitAll(offerFlag)
}

// offerFor are the values for a word of a usage line, or for a flag.
func (o completions) offerFor(c *cobra.Command, what string, args []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	_ = o.app.prepare(c) // the environment and the config file may name another store; with a mistake in them nothing is offered
	var values []cobra.Completion
	switch what {
	case "NAME":
		values = o.savedSandboxes(c)
	case "ID", "--backup":
		values = o.savedIDs(c, argument(args, 0))
	case "NAME|ID":
		values = o.savedSandboxes(c)
		for _, name := range slices.Clone(values) {
			values = append(values, o.savedIDs(c, name)...)
		}
	case "--only", "--exclude":
		values = o.recordedSandboxes(c)
	case "--to":
		if c.Name() != "restore" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		values = o.recordedSandboxes(c)
	case "--gateway", "--set":
		values = o.app.knownGateways()
	case "--workspace":
		values = o.savedWorkspaces(c)
	case "--gateway-state":
		if store := o.storeOf(c); store != nil {
			values, _ = store.Gateways().Sandboxes()
		}
	case "--skip-check":
		values = slices.DeleteFunc(preflight.KnownChecks(), func(code string) bool { return code == preflight.CodeAgreement })
	case "EXTENSION":
		if registry, err := builtin.Registry(o.app.extensions.linked...); err == nil {
			values = registry.Names()
		}
	case "--backup-dir":
		return nil, cobra.ShellCompDirectiveFilterDirs
	case "--identity", "--html", "--metrics", "--log-json", "FILE|-", "FILE|FOLDER|-":
		return nil, cobra.ShellCompDirectiveDefault
	}
	return values, cobra.ShellCompDirectiveNoFileComp
}

// storeOf is the store that the flags of c name, or nil.
func (o completions) storeOf(c *cobra.Command) *store.Store {
	dir, _ := c.Flags().GetString("backup-dir")
	store, err := o.app.stores.open(storeOptions{dir: dir})
	if err != nil {
		return nil
	}
	if gateway, _ := c.Flags().GetString("gateway-state"); gateway != "" {
		return store.Gateways()
	}
	return store
}

func (o completions) savedSandboxes(c *cobra.Command) []cobra.Completion {
	store := o.storeOf(c)
	if gateway, _ := c.Flags().GetString("gateway-state"); store == nil || gateway != "" {
		return nil
	}
	names, _ := store.Sandboxes()
	return names
}

// savedIDs are the ids of one sandbox's whole backups, newest first, each with its age and size.
func (o completions) savedIDs(c *cobra.Command, name string) []cobra.Completion {
	store := o.storeOf(c)
	if gateway, _ := c.Flags().GetString("gateway-state"); gateway != "" {
		name = gateway
	}
	if store == nil || name == "" {
		return nil
	}
	backups, _ := store.Backups(name)
	var ids []cobra.Completion
	for _, b := range backups {
		if b.Damage == nil {
			about := fmt.Sprintf("%s  %s", ui.Age(time.Since(b.Time())), size.Text(b.Manifest.Archive.Bytes))
			ids = append(ids, cobra.CompletionWithDesc(b.ID, about))
		}
	}

	return ids
}

// savedWorkspaces are those of the sandboxes that have backups.
func (o completions) savedWorkspaces(c *cobra.Command) []cobra.Completion {
	store := o.storeOf(c)
	if store == nil {
		return nil
	}
	workspaces := []cobra.Completion{sandbox.DefaultWorkspace}
	names, _ := store.Sandboxes()
	for _, name := range names {
		backups, _ := store.Backups(name)
		for _, b := range backups {
			if of := b.Series().Workspace; of != "" {
				workspaces = append(workspaces, of)
			}
		}
	}

	slices.Sort(workspaces)
	return slices.Compact(workspaces)
}

// recordedSandboxes are those that the registry names, and those that have backups.
func (o completions) recordedSandboxes(c *cobra.Command) []cobra.Completion {
	names := o.savedSandboxes(c)
	registry, _ := o.app.host.Registry()
	for _, row := range registry.Rows {
		names = append(names, row.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
