package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sandkeeper/internal/size"
	"sandkeeper/lifecycle"
)

type extensionsStateOptions struct {
	app                *app
	sandbox, extension string
	clear              bool
	metrics            string
	yes                bool
}

const extensionsStateLong = `Show what extensions keep for sandboxes, with sizes. "show" prints one such state whole. "clear" removes one, after a
question: you need it when a newer build wrote the state and this one cannot read it. --metrics FILE writes the sums
for Prometheus.`

func newExtensionsState(a *app, run func(context.Context, *extensionsStateOptions) (*answer, error)) *cobra.Command {
	o := &extensionsStateOptions{app: a}
	if run == nil {
		run = runExtensionsState
	}
	c := &cobra.Command{
		Use: "state", Short: "Show what extensions keep for sandboxes; show or clear one", Long: extensionsStateLong,
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitLocked),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	addMetricsFlag(c.Flags(), &o.metrics)
	show := o.oneState(run, "show", "Print one state whole")
	clearing := o.oneState(run, "clear", "Remove one state; what the extension holds outside for it is then yours to release")
	clearing.Flags().BoolVarP(&o.yes, "yes", "y", false, "clear without asking")
	clearing.PreRun = func(*cobra.Command, []string) { o.clear = true }
	c.AddCommand(show, clearing)
	return c
}

func (o *extensionsStateOptions) oneState(run func(context.Context, *extensionsStateOptions) (*answer, error), verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SANDBOX EXTENSION", Short: short, Long: short + ". SANDBOX is a sandbox's id, or its name if only one has it.",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitNotFound, ExitLocked, ExitInterrupted),
		RunE: func(c *cobra.Command, args []string) error {
			o.sandbox, o.extension = args[0], args[1]
			return o.app.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
		},
	}
}

type extensionsStateResult struct {
	Stats   []lifecycle.ExtensionStats `json:"stats"`
	States  []lifecycle.StateInfo      `json:"states"`
	State   *lifecycle.StateDetail     `json:"state"`
	Cleared bool                       `json:"cleared"`
}

func runExtensionsState(ctx context.Context, o *extensionsStateOptions) (*answer, error) {
	store, err := o.app.extensions.readStore()
	if err != nil {
		return nil, err
	}
	result := &extensionsStateResult{Stats: []lifecycle.ExtensionStats{}, States: []lifecycle.StateInfo{}}
	found := &answer{result: result, text: func(term *terminal) { o.render(term, result) }}
	switch {
	case store != nil:
		err = errors.Join(o.read(ctx, store, result), store.Close())
	case o.sandbox != "":
		return nil, noState(errors.New("no extension keeps any state on this host"))
	}

	if errors.Is(err, lifecycle.ErrUnknownState) {
		return nil, noState(err)
	}
	if err == nil && o.metrics != "" && o.sandbox == "" {
		err = publish("--metrics", o.metrics, func(w io.Writer) error { return lifecycle.WriteMetrics(w, result.Stats) })
	}
	return found, err
}

func (o *extensionsStateOptions) read(ctx context.Context, store *lifecycle.Store, result *extensionsStateResult) (err error) {
	if result.Stats, err = store.Stats(); err != nil {
		return err
	}
	if o.sandbox == "" {
		result.States, err = store.States()
		return err
	}
	detail, err := store.State(o.sandbox, o.extension)
	if err != nil {
		return err
	}
	result.State = &detail
	if !o.clear {
		return nil
	}
	if err := o.consent(ctx, detail); err != nil {
		return err
	}
	err = store.Clear(o.sandbox, o.extension)
	result.Cleared = err == nil
	return err
}

func (o *extensionsStateOptions) consent(ctx context.Context, d lifecycle.StateDetail) error {
	a := o.app
	if o.yes {
		return nil
	}
	return a.term.ask(ctx, question{
		text: fmt.Sprintf("What the state of an extension guards outside is nobody's to release when the state is gone.\n"+
			"Remove what extension %q keeps for sandbox %q (%d bytes)?", d.Extension, d.Sandbox.Name, d.Bytes),
		unasked:  fmt.Sprintf("the state of extension %q for sandbox %q would be removed", d.Extension, d.Sandbox.Name),
		flags:    "add --yes",
		declined: a.term.nothingWas("removed"),
	})
}

func (o *extensionsStateOptions) render(term *terminal, r *extensionsStateResult) {
	if r.State != nil {
		renderState(term, r)
		return
	}
	if len(r.States) == 0 {
		term.printf("No extension keeps any state.")
		return
	}
	table := term.table()
	table.Row("SANDBOX", "ID", "EXTENSION", "SCHEMA", "BYTES", "STATUS")
	for _, s := range r.States {
		table.Row(s.Sandbox.Name, s.Sandbox.ID, s.Extension, fmt.Sprint(s.SchemaVersion), fmt.Sprint(s.Bytes), string(s.Status))
	}
	table.Print(term.Out, nil)
	for _, s := range r.Stats {
		term.printf("%s: %s, %d bytes, largest %d", s.Extension, size.Count(s.States, "state", "states"), s.Bytes, s.Largest)
	}
}

// noState is for a state that is not there.
func noState(err error) *Failure {
	f := notFound("%w", err)
	f.Hint = "sandkeeper extensions state lists what there is"
	return f
}

func renderState(term *terminal, r *extensionsStateResult) {
	d := r.State
	term.printf("sandbox %s (%s), extension %s, schema version %d, %d bytes, written %s", d.Sandbox.Name, d.Sandbox.ID, d.Extension, d.SchemaVersion, d.Bytes, d.Updated.Format("2006-01-02 15:04:05Z"))
	switch {
	case r.Cleared:
		term.printf("Cleared.")
	case d.JSON != nil:
		term.printf("%s", d.JSON)
	case d.Text != "":
		term.printf("%s", d.Text)
	default:
		term.printf("%x", d.Binary)
	}
}
