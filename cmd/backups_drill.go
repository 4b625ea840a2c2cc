package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/drill"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
)

type backupsDrillOptions struct {
	app      *app
	name     string
	check    string
	limit    time.Duration
	identity string
	failure  failureOptions
	store    storeOptions
}

const backupsDrillLong = `Restore the newest backup of every sandbox, or of one, into a throw-away container of the image that it ran from, without a network;
compare every entry with what was saved; run the agent's own --version in it, or what --drill-check says; and take the container away.
The time that each took is the time in which you can promise to have it back. No sandbox is touched.

A drill that was killed leaves its container; the next one takes it away, and no other container.`

func newBackupsDrill(a *app, run func(context.Context, *backupsDrillOptions) (*answer, error)) *cobra.Command {
	o := &backupsDrillOptions{app: a}
	if run == nil {
		run = runBackupsDrill
	}
	c := &cobra.Command{
		Use: "drill [NAME]", Short: "Restore the newest backups into throw-away containers, and try them", Long: backupsDrillLong,
		Example:     "  sandkeeper backups drill\n  sandkeeper backups drill alpha --drill-check ./smoke-test",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitNotFound, ExitDamaged, ExitInterrupted),
	}
	f := c.Flags()
	f.StringVar(&o.check, "drill-check", "", "run this with sh in each restored home: it must end with 0 (default: the agent's --version)")
	f.DurationVar(&o.limit, "drill-limit", 5*time.Minute, "how long the check may take")
	f.StringVar(&o.identity, "identity", "", "age identity file that opens encrypted archives")
	o.failure.addFlags(f)
	o.store.addFlags(f)
	o.store.bucket.addReadFlags(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// drillResult is what all drills of a run came to.
type drillResult struct {
	Root   string `json:"root"`
	Totals struct {
		Drilled int `json:"drilled"` // that came back whole, and ended their check well
		Failed  int `json:"failed"`
	} `json:"totals"`
	Drills []drill.Outcome `json:"drills"`
	Swept  []string        `json:"swept"` // containers that a killed drill had left

	off  *offHost // where the backups come from; nil: they are on this host
	warn func(format string, args ...any)
}

func runBackupsDrill(ctx context.Context, o *backupsDrillOptions) (_ *answer, err error) {
	a := o.app
	if o.limit <= 0 {
		return nil, usage("give a duration such as 5m", "--drill-limit must be positive")
	}
	st, off, err := a.stores.source(ctx, o.store, o.identity)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	backups, err := selection{app: a, store: st, off: off, name: o.name}.backups(ctx)
	if err != nil {
		return nil, err
	}
	if len(backups) == 0 {
		return nil, nothingIn(off.root(st))
	}
	if a.Env.StateHome() == "" {
		return nil, usage("set HOME", "there is no folder to note the throw-away containers in (HOME is not set to an absolute path)")
	}
	engines := a.host.Engines(ctx)
	if main, state := engines.Main(); main == nil {
		err := fmt.Errorf("nothing was drilled: a drill needs a container engine, and none answers (%s)", state.Words())
		return nil, &Failure{Code: ExitRefused, Kind: "drill_failed", Err: err, Hint: noEngineHint}
	}
	progress := a.term.progress()
	defer progress.Close()
	options := drill.Options{
		Store: st, Engines: engines.All(), Identities: identities, Journal: drill.Dir(a.Env.StateHome()), Check: o.command, CheckLimit: o.limit,
		Progress: func(e home.Event) { a.term.showProgress(progress, e) },
		Bring:    func(ctx context.Context, b store.Backup) (store.Backup, error) { return off.bring(ctx, st, b) },
	}
	result := drillResult{Root: off.root(st), off: off, warn: a.term.warn, Drills: []drill.Outcome{}, Swept: []string{}}
	swept, err := drill.Sweep(ctx, options.Journal, options.Engines)
	if err != nil {
		a.term.warn("%v", err)
	}
	result.Swept = append(result.Swept, swept...)
	err = result.run(ctx, options, backups)
	progress.Close()
	return &answer{result: result, text: func(term *terminal) { renderDrills(term, result) }}, err
}

// command is what must end well in the restored home of m.
func (o *backupsDrillOptions) command(m *archive.Manifest) []string {
	switch {
	case o.check != "":
		return []string{"/bin/sh", "-c", o.check}
	case m.Agent == "" || sandboxname.Check(m.Agent) != nil:
		return nil
	}
	return []string{m.Agent, "--version"}
}

// run drills the newest backup of each series. That a bucket does not let its note be written is no fault of the backup.
func (r *drillResult) run(ctx context.Context, o drill.Options, backups []store.Backup) error {
	var problems error
	var failed []string
	for _, group := range store.BySeries(backups) {
		newest := group[0]
		if chosen := store.Chosen(group); len(chosen) > 0 {
			newest = chosen[0]
		}
		out := drill.One(ctx, o, newest)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.Drills = append(r.Drills, out)
		if out.OK && r.off != nil {
			took := time.Duration(out.TookMs) * time.Millisecond
			if err := errors.Join(r.off.MarkDrilled(ctx, newest, took, out.Check), r.off.proveDrilled(ctx, newest, took, out.Check)); err != nil {
				r.warn("the drill of %q is not noted in the bucket: %v", sandbox.Address(out.Workspace, out.Sandbox), err)
			}
		}
		if out.OK {
			r.Totals.Drilled++
		} else {
			r.Totals.Failed++
			problems = errors.Join(problems, out.Err)
			failed = append(failed, fmt.Sprintf("%q", sandbox.Address(out.Workspace, out.Sandbox)))
		}
	}
	return r.failure(failed, problems)
}

// failure names the sandboxes whose drill failed; the result says why.
func (r *drillResult) failure(failed []string, problems error) error {
	if problems == nil {
		return nil
	}
	err := fmt.Errorf("%d of %s failed: %s", len(failed), size.Count(len(r.Drills), "drill", "drills"), strings.Join(failed, ", "))
	f := &Failure{Code: ExitRefused, Kind: "drill_failed", Err: err, Hint: "no sandbox was touched; do not delete older backups before one comes back whole"}
	if _, damaged := errors.AsType[*archive.DamageError](problems); damaged {
		f.Code, f.Kind = ExitDamaged, "verification_failed"
	} else if r.Totals.Drilled > 0 {
		f.Code = ExitPartial
	}
	if errors.Is(problems, archive.ErrNoIdentity) {
		f.Hint = noIdentityHint
	}

	return f
}

func renderDrills(term *terminal, r drillResult) {
	for _, name := range r.Swept {
		term.printf("removed container %s, which a drill that was killed had left", name)
	}
	table := term.table()
	for _, d := range r.Drills {
		word, detail := "ok", fmt.Sprintf("back in %s: %s, %s, every entry as it was saved", tookText(d.TookMs), size.Count(d.Files, "file", "files"), size.Text(d.Bytes))
		switch {
		case !d.OK:
			word, detail = "FAIL", d.Reason
		case d.Check != "":
			detail += fmt.Sprintf("; %s: %s", d.Check, orDash(ui.Clean(d.Said)))
		default:
			detail += "; nothing was run in it (--drill-check runs something)"
		}

		table.Row(word, sandbox.Address(d.Workspace, d.Sandbox), d.Backup, detail)
	}

	table.Print(term.Out, nil)
	term.printf("%s drilled, %d failed. No sandbox was touched.", size.Count(r.Totals.Drilled, "backup", "backups"), r.Totals.Failed)
}

func tookText(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}
