package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/preflight"
	"sandkeeper/survey"
)

type preflightOptions struct {
	app   *app
	store storeOptions
	skip  skipOptions
}

const preflightLong = `Run every check and change nothing. The checks answer: are the openshell CLI and the running gateway of one version,
and is this host fit for a backup or an upgrade? They need no sandbox. The verdict is pass, refuse or unverified; what
cannot be seen never counts as equal.

The exit code is 0 only when the verdict is pass, the gateway answered and no check failed. It is 1 when the verdict
is refuse or a check failed, and 5 when nothing answers, the gateway is not registered, or the versions could not be
compared.

docs/checks.md has a section for each check: what it looks at, what its result means, and what to do.`

func newPreflight(a *app, run func(context.Context, *preflightOptions) (*answer, error)) *cobra.Command {
	o := &preflightOptions{app: a}
	if run == nil {
		run = runPreflight
	}
	c := &cobra.Command{
		Use: "preflight", Aliases: []string{"doctor"}, Short: "May this host be worked on now? Changes nothing", Long: preflightLong,
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitUnreachable, ExitInterrupted),
		Example:     "  sandkeeper preflight\n  sandkeeper preflight --quiet",
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	o.store.addFlags(c.Flags())
	o.skip.addFlags(c.Flags())
	return c
}

func runPreflight(ctx context.Context, o *preflightOptions) (*answer, error) {
	a := o.app
	if err := o.skip.check(); err != nil {
		return nil, err
	}
	action := preflight.Trusting()
	registry, registryErr := a.host.Registry()
	if registryErr != nil {
		a.term.warn("%v", registryErr) // the checks below say it too; the gateway can be judged without a registry
	}
	gateways := a.host.Judge(ctx, action, a.host.Bindings(registry))
	demotedEverywhere(gateways, o.skip)
	decisive := mostUrgent(gateways)
	if decisive.Seen.Target.Err == nil {
		in := a.checks.input(a.checks.factsOf(ctx, decisive, registry, o.store))
		if decisive.Report.Refused() {
			in.Supervisor, in.Need = nil, nil // a refusal does not wait for what looks into every sandbox
		}
		a.checks.add(ctx, &decisive.Report, in, o.skip)
	}

	found := &answer{preflight: &decisive.Report}
	err := registryErr
	switch blocked := a.gate.readiness(gateways, decisive, action); {
	case decisive.Report.Refused():
		err = a.gate.refuse(decisive.Report, action)
	case blocked != nil && (registryErr == nil || failureOf(blocked).Code == ExitRefused):
		err = blocked
	}

	if decisive.Seen.Target.Err == nil { // nothing was looked at otherwise
		found.text = func(term *terminal) { renderReport(term, *decisive, err) }
	}
	return found, err
}

// renderReport prints the table of checks, the warnings and the verdict, worst last, so that it stays on the screen.
func renderReport(term *terminal, g survey.Gateway, err error) {
	r := g.Report
	table := term.table()
	for _, check := range r.Checks {
		if term.quiet && check.Status == preflight.Pass {
			continue
		}
		table.Row(statusWord(check.Status), check.Code, check.Detail)
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
	for _, check := range r.Checks {
		if check.Fix != "" {
			term.printf("  fix %s: %s", check.Code, check.Fix)
		}
	}

	for _, warning := range r.Warnings {
		term.printf("warning: %s", warning)
	}
	if !term.quiet || err != nil {
		term.printf("%s", verdictLine(g, err))
	}
}

// statusWord is how a status reads in a table: the failing ones stand out without colour.
func statusWord(s preflight.Status) string {
	switch s {
	case preflight.Pass:
		return "ok"
	case preflight.Fail:
		return "FAIL"
	}
	return string(s)
}
