package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/migrate"
)

type migratePlanOptions struct {
	app   *app
	store storeOptions
}

const migratePlanLong = `Read this host and say in order what to do to get its sandboxes to OpenShell 0.1.x: what of each is carried, what is not, and what the new
gateway will refuse. A host that was upgraded in place already is recognised.

Nothing is changed, but for one new file: a gateway.toml of version 2, proposed beside the old one. It is never written over anything.`

func newMigratePlan(a *app, run func(context.Context, *migratePlanOptions) (*answer, error)) *cobra.Command {
	o := &migratePlanOptions{app: a}
	if run == nil {
		run = runMigratePlan
	}
	c := &cobra.Command{
		Use: "plan", Short: "Say what a move to OpenShell 0.1.x takes, in order", Long: migratePlanLong,
		Example:     "  sandkeeper migrate plan\n  sandkeeper migrate plan --json",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	o.store.addFlags(c.Flags())
	return c
}

func runMigratePlan(ctx context.Context, o *migratePlanOptions) (*answer, error) {
	host, err := o.app.migrating(ctx, o.store, false)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	facts := host.Facts(ctx)
	plan := migrate.Make(facts)
	if err := migrate.WriteProposal(facts.Config, plan.Host.Config); err != nil {
		plan.Warnings = append(plan.Warnings, err.Error())
	}
	report := host.Gateway().Report
	return &answer{preflight: &report, result: plan, text: func(term *terminal) { renderPlan(term, plan) }}, ctx.Err()
}

func renderPlan(term *terminal, p migrate.Plan) {
	term.printf("%s: %s", gatewayText(p), stageText(p))
	for _, warning := range p.Warnings {
		term.printf("warning: %s", warning)
	}
	for _, s := range p.Sandboxes {
		term.printf("")
		term.printf("%s (%s)", s.Address(), runningWord(s.Running))
		renderItems(term, s.Refused, s.NotCarried, s.Carried)
	}

	if p.Stage == migrate.StageDone && len(p.Host.Refused) == 0 {
		return
	}
	term.printf("")
	term.printf("the gateway itself")
	renderItems(term, p.Host.Refused, p.Host.NotCarried, p.Host.Carried)
	renderConfigPlan(term, p.Host.Config)
	if p.Stage == migrate.StageDone {
		return
	}
	term.printf("")
	term.printf("Steps, in this order:")
	for i, step := range p.Steps {
		term.printf("%2d. %s", i+1, step.Title)
		for _, command := range step.Commands {
			term.printf("      %s", command)
		}
		if step.Why != "" {
			term.printf("    (%s)", step.Why)
		}
	}
}

func renderItems(term *terminal, refused, notCarried, carried []migrate.Item) {
	table := term.table()
	for _, group := range []struct {
		word  string
		items []migrate.Item
	}{{"REFUSED", refused}, {"lost", notCarried}, {"carried", carried}} {
		for _, item := range group.items {
			detail := item.Detail
			if item.Fix != "" {
				detail += "; " + item.Fix
			}
			table.Row(group.word, item.Code, detail)
		}
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
}

func renderConfigPlan(term *terminal, c *migrate.ConfigPlan) {
	if c == nil || len(c.Changes)+len(c.Manual) == 0 {
		return
	}
	term.printf("  %s becomes %s:", c.Path, orDash(c.Proposed))
	for _, change := range c.Changes {
		term.printf("    %s", change)
	}
	for _, decision := range c.Manual {
		term.printf("    decide: %s", decision)
	}
}

func gatewayText(p migrate.Plan) string {
	if p.Running == "" {
		return fmt.Sprintf("Gateway %s, which did not tell its version", p.Gateway)
	}
	return fmt.Sprintf("Gateway %s, OpenShell %s", p.Gateway, p.Running)
}

func stageText(p migrate.Plan) string {
	switch p.Stage {
	case migrate.StageExport:
		if p.Running == "" {
			return "run the plan again once it answers; `sandkeeper migrate export --offline` exports what is in containers without it"
		}
		return "its sandboxes are to be exported while it still runs"
	case migrate.StageRescue:
		return "upgraded in place; its old containers are the only copy of their sandboxes"
	case migrate.StageImport:
		return "a set is exported; it is imported once a gateway of 0.1.x runs"
	}

	if len(p.Warnings) > 0 {
		return "no sandbox of 0.0.x was seen that is known to be its own, and not everything was seen"
	}
	return "nothing of 0.0.x is left to be moved"
}
