package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/migrate"
	"sandkeeper/survey"
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

// migrating looks at the one gateway of this host that is meant.
func (a *app) migrating(ctx context.Context, o storeOptions, offline bool) (*migrate.Host, error) {
	if err := oneGateway(a.host); err != nil {
		return nil, err
	}
	st, err := a.stores.open(o)
	if err != nil {
		return nil, err
	}
	host, err := migrate.LookAt(ctx, a.host, st, offline)
	return host, a.gate.untrusted(err)
}

// oneGateway refuses where it is not said which of several gateways is meant.
func oneGateway(host *survey.Host) error {
	registry, err := host.Registry()
	if err != nil {
		return err
	}
	bindings := host.Bindings(registry)
	if len(bindings) < 2 {
		return nil
	}
	var names []string
	for _, b := range bindings {
		names = append(names, b.Gateway)
	}
	return usage("give one with -g NAME", "sandboxes of several gateways are registered here (%s), and one is migrated at a time", strings.Join(names, ", "))
}
