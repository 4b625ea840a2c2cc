package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/preflight"
)

type extensionsReconcileOptions struct{ app *app }

const extensionsReconcileLong = `Finish or undo what a killed run left of the extensions' work, and ask each active extension whether its sandboxes
still are as it left them. The state of an extension that is not active is named, and stays.

What an extension finds different is printed. It changes something only if the extension itself puts it right. The
same runs at the start of every command that creates or deletes sandboxes. The schema preflight comes first: a gateway
that does not agree with the CLI is not believed.`

func newExtensionsReconcile(a *app, run func(context.Context, *extensionsReconcileOptions) (*answer, error)) *cobra.Command {
	o := &extensionsReconcileOptions{app: a}
	if run == nil {
		run = runExtensionsReconcile
	}
	return &cobra.Command{
		Use: "reconcile", Short: "Finish what a killed run left, and compare sandboxes with what extensions keep", Long: extensionsReconcileLong,
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitUnreachable, ExitLocked, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
}

func runExtensionsReconcile(ctx context.Context, o *extensionsReconcileOptions) (*answer, error) {
	a := o.app
	chain, err := a.extensions.open()
	if err != nil {
		return nil, err
	}
	if chain == nil {
		return &answer{result: reconciled(nil), text: func(term *terminal) {
			term.printf("No extension is active and none keeps any state: there is nothing to reconcile.")
		}}, nil
	}

	found, err := o.reconcile(ctx, chain)
	return found, joined(err, chain.close())
}

func (o *extensionsReconcileOptions) reconcile(ctx context.Context, chain *extensionChain) (*answer, error) {
	a := o.app
	registry, err := a.host.Registry()
	if err != nil {
		return nil, err
	}
	action := preflight.Action{Phrase: preflight.Checking().Phrase, Command: "sandkeeper extensions reconcile"}
	seen := a.host.Judge(ctx, action, a.host.Bindings(registry))
	found := &answer{preflight: &seen.Decisive().Report}
	if err := a.gate.admit(seen, action, false); err != nil {
		return found, err
	}
	gateways := &driver.Gateways{Open: a.host.Connect(seen)}
	reports, err := chain.reconcile(ctx, a.extensions, gateways, seen)
	found.result = reconciled(reports)
	found.text = func(term *terminal) { renderReconciled(term, reports) }
	return found, joined(joined(err, gateways.Close()), reconcileFailure(reports))
}

func reconciled(reports []lifecycle.ReconcileReport) map[string]any {
	return map[string]any{"reports": append([]lifecycle.ReconcileReport{}, reports...)}
}

func reconcileFailure(reports []lifecycle.ReconcileReport) error {
	var problems []error
	for _, r := range reports {
		if r.Err != nil {
			problems = append(problems, fmt.Errorf("sandbox %q: %w", r.Sandbox.Name, r.Err))
		}
	}

	if len(problems) == 0 {
		return nil
	}
	return &Failure{Code: ExitPartial, Kind: kindPartial, Err: errors.Join(problems...), Hint: "sandkeeper extensions state shows what is kept"}
}

func renderReconciled(term *terminal, reports []lifecycle.ReconcileReport) {
	table := term.table()
	for _, r := range reports {
		found := strings.Join(r.Drift, ", ")
		switch {
		case r.Err != nil:
			found = r.Err.Error()
		case found == "":
			found = orDash(r.Action)
		}

		table.Row(r.Sandbox.Name, orDash(r.Extension), string(r.Status), found)
	}

	table.Print(term.Out, nil)
	term.printf("%d looked at", len(reports))
}

// joined is err with what else went wrong, under the code and kind of the first.
func joined(first, second error) error {
	switch {
	case second == nil:
		return first
	case first == nil:
		return second
	}

	f := *failureOf(first)
	f.Err = errors.Join(f.Err, second)
	return &f
}
