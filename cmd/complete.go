package cmd

import (
	"github.com/spf13/cobra"
)

// completeSandboxes offers the names that have backups. It says nothing when it cannot know: completion must never print.
func (a *app) completeSandboxes(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, _ := c.Flags().GetString("backup-dir")
	store, err := a.openStore(storeOptions{dir: dir})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := store.Sandboxes()
	return names, cobra.ShellCompDirectiveNoFileComp
}
