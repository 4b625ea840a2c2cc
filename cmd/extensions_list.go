package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sandkeeper/lifecycle"
	"sandkeeper/lifecycle/builtin"
)

type extensionsListOptions struct{ app *app }

func newExtensionsList(a *app, run func(context.Context, *extensionsListOptions) (*answer, error)) *cobra.Command {
	o := &extensionsListOptions{app: a}
	if run == nil {
		run = runExtensionsList
	}
	return &cobra.Command{
		Use: "list", Short: "Show which extensions this program has, and which are active in which order",
		Long:        "List the extensions that this program has: the active ones in the order in which they run, then the others.",
		Annotations: exits(ExitOK, ExitUsage),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
}

func runExtensionsList(_ context.Context, o *extensionsListOptions) (*answer, error) {
	links, _ := o.app.extensions.links() // a mistake has been told at the start
	registry, err := builtin.Registry(o.app.extensions.linked...)
	if err != nil {
		return nil, err
	}
	list := registry.List(links)
	return &answer{result: map[string]any{"extensions": list}, text: func(term *terminal) { renderExtensions(term, list) }}, nil
}

func renderExtensions(term *terminal, list []lifecycle.Listing) {
	table := term.table()
	table.Row("ORDER", "NAME", "ACTIVE", "TIMEOUT", "WHAT IT DOES")
	for _, l := range list {
		if l.Active {
			table.Row(fmt.Sprint(l.Order), l.Name, "yes", fmt.Sprintf("%ds", l.TimeoutMs/1000), l.Summary)
		} else {
			table.Row("-", l.Name, "no", "-", l.Summary)
		}
	}

	table.Print(term.Out, nil)
}
