package cmd

import (
	"github.com/spf13/cobra"
)

const migrateLong = `Move the sandboxes of this host from OpenShell 0.0.x to 0.1.x, which is no upgrade in place: plan says what to do in which order, export
saves everything while the old gateway still runs and stops the old sandboxes, and import makes them again once the new gateway does.
Nothing of 0.0.x is removed. docs/migrate.md goes through it step by step.`

func newMigrate(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Move sandboxes from OpenShell 0.0.x to 0.1.x", Long: migrateLong, Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newMigratePlan(a, nil), newMigrateExport(a, nil), newMigrateImport(a, nil))
	return c
}
