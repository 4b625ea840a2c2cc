package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

type restoreOptions struct {
	app      *app
	name     string
	id       string
	to       string
	scope    string
	dryRun   bool
	yes      bool
	identity string
	way      string
	stall    time.Duration

	recreate           bool
	allowUnverified    bool
	settle, readyLimit time.Duration

	gatewayState string // of this gateway, instead of a sandbox
	store        storeOptions
	off          *offHost // where the backup comes from; nil: it is on this host
}

const restoreLong = `Put a backup back into its sandbox, or into another one (--to). The backup is verified to its last byte first; a damaged one is
refused before anything is touched. What is in the target now is kept as a backup of its own, and comes back by itself when the
restore does not succeed. A running target is stopped for the exchange and started again, through its gateway where that answers.

--scope state puts back only the agent's state directories, --scope full the whole home.

--recreate makes a sandbox that is gone again: from the recipe that its gateway told when it was saved, through that gateway's API, with the
extensions around it. It is watched until it stays Ready, stopped, given its home back, and left running or stopped, as it was when it was saved. It is
refused while a sandbox of that name is there. A run that was killed is repeated with the same command: what it made is recognised.

--gateway-state NAME puts back, instead of a sandbox, what backup-all saved of a gateway itself: its database, keys and configuration.
It is refused while that gateway runs; what was there is kept aside.`

func newRestore(a *app, run func(context.Context, *restoreOptions) (*answer, error)) *cobra.Command {
	o := &restoreOptions{app: a}
	if run == nil {
		run = runRestore
	}
	c := &cobra.Command{
		Use: "restore NAME", Short: "Put a backup back into a sandbox", Long: restoreLong,
		Example: "  sandkeeper restore alpha --dry-run\n  sandkeeper restore alpha --backup 20261121T101500Z-1f3a --to alpha2\n" +
			"  sandkeeper restore alpha --recreate",
		Annotations: creatingWith(exits(ExitOK, ExitRefused, ExitUsage, ExitUnreachable, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted), "recreate"),
	}
	f := c.Flags()
	f.StringVar(&o.id, "backup", store.Latest, "id of the backup, the beginning of one, or latest")
	f.StringVar(&o.to, "to", "", "restore into this sandbox instead")
	choiceVar(f, &o.scope, "scope", []string{string(restore.ScopeFull), string(restore.ScopeState)}, "put back the whole home, or the agent's state alone")
	f.BoolVar(&o.dryRun, "dry-run", false, "list what would change; change nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "replace what is in the sandbox without asking")
	wayVar(f, &o.way)
	f.StringVar(&o.identity, "identity", "", "age identity file that opens an encrypted backup")
	f.DurationVar(&o.stall, "stall-limit", time.Minute, "give up when nothing moves for this long")
	f.BoolVar(&o.recreate, "recreate", false, "make the sandbox again first: it is gone")
	f.BoolVar(&o.allowUnverified, "allow-unverified", false, "with --recreate: go on when CLI and gateway cannot be shown to agree")
	f.DurationVar(&o.settle, "settle", driver.DefaultSettle, "with --recreate: how long the new sandbox must stay Ready")
	f.DurationVar(&o.readyLimit, "ready-limit", driver.DefaultReadyLimit, "with --recreate: how long it may take to be Ready")
	f.StringVar(&o.gatewayState, "gateway-state", "", "instead of a sandbox: put back the state of this stopped gateway")
	o.store.addFlags(f)
	o.store.bucket.addReadFlags(f)
	o.store.addLockFlag(f)
	c.Args = func(c *cobra.Command, args []string) error {
		if o.gatewayState != "" {
			return selection{gateway: o.gatewayState, name: argument(args, 0)}.single()
		}
		if len(args) == 2 {
			return usage("a backup is named by its flag: sandkeeper restore "+text.ShellWord(args[0])+" --backup "+text.ShellWord(args[1])+"\nsandkeeper restore --help says more",
				"sandkeeper restore: %q is one argument too many", args[1])
		}
		return takes(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		o.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

func runRestore(ctx context.Context, o *restoreOptions) (_ *answer, err error) {
	if o.gatewayState != "" {
		return o.restoreGatewayState(ctx)
	}
	if err := o.validRecreate(); err != nil {
		return nil, err
	}
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	store, off, err := o.openSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	o.off = off
	b, err := o.find(store)
	if err == nil {
		b, err = off.bring(ctx, store, b)
	}
	if err != nil {
		return nil, o.whichOthers(off.missing(err))
	}
	if o.recreate {
		return o.runRecreate(ctx, store, b, identities)
	}
	found := &answer{}
	request, err := o.target(ctx, found)
	if err == nil {
		err = o.sameSandbox(b, request.Target)
	}
	if err != nil {
		return found, err
	}
	request.Store, request.Backup, request.Identities = store, b, identities
	return found, o.restore(ctx, request, found)
}

// from are the flags of this run that a command about the same backup needs as well: where it is, and what opens it.
func (o *restoreOptions) from() string {
	words := o.app.stores.place(o.store)
	if o.identity != "" {
		words += " --identity " + text.ShellWord(o.identity)
	}
	return words
}

// find is the backup that is meant. The same name on two gateways is two sandboxes: latest then needs -g.
func (o *restoreOptions) find(st *store.Store) (store.Backup, error) {
	workspace, name := o.app.stores.address(o.name)
	if o.id != store.Latest {
		return o.app.stores.find(st, workspace, name, o.id)
	}
	return o.app.stores.latest(st, workspace, name)
}

func (o *restoreOptions) restore(ctx context.Context, request restore.Request, found *answer) error {
	a := o.app
	if !request.DryRun {
		lock, err := o.lock(&request)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Unlock() }() // the kernel takes it back in any case
	}

	gateways := &driver.Gateways{Open: a.host.Connect(nil)}
	defer gateways.Close()
	request.Switch = gateways

	progress := a.term.progress()
	defer progress.Close()
	if a.Env.StateHome() != "" {
		request.Journal = journal.RestoringDir(a.Env.StateHome())
	}
	request.Progress = func(e home.Event) {
		if _, asking := errors.AsType[*restore.ConsentError](e.Err); !asking { // a question is not a failure
			a.term.showProgress(progress, e)
		}
	}
	summary, err := restore.Restore(ctx, request)
	if consent, ok := errors.AsType[*restore.ConsentError](err); ok {
		progress.Close()
		if err := o.consent(ctx, consent); err != nil {
			return err
		}
		request.Consent = true
		summary, err = restore.Restore(ctx, request)
	}

	progress.Close()
	if summary.Sandbox != "" {
		found.result = summary
		if err == nil || !request.DryRun { // what would change is not known where the backup could not be read to its end
			found.text = func(term *terminal) { renderRestore(term, summary) }
		}
		found.done = err == nil && summary.Done
	}

	return o.whichOthers(notRestored(err))
}

// whichOthers lets the hint about a damaged backup name its sandbox, and where its backups are.
func (o *restoreOptions) whichOthers(err error) error {
	f := failureOf(err)
	if f == nil || f.Code != ExitDamaged {
		return err
	}
	hint := fmt.Sprintf("do not delete it; sandkeeper backups list %s%s shows the other backups of this sandbox",
		text.ShellWord(o.app.stores.written(o.name)), o.app.stores.place(o.store))
	return &Failure{Code: f.Code, Kind: f.Kind, Err: f.Err, Hint: hint}
}

// lock takes the backup's store. From a store that cannot be written a restore is made all the same: what it replaces
// is then kept in a store of its own, which is locked instead.
func (o *restoreOptions) lock(request *restore.Request) (*store.Lock, error) {
	command := "restore " + o.name
	if o.off != nil {
		return o.keepHere(request, command)
	}
	lock, err := request.Store.Lock(command)
	readOnly := errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
	if !readOnly || stateDir(o.app.Env) == "" {
		return lock, err
	}
	request.Keep, err = store.Open(filepath.Join(stateDir(o.app.Env), "replaced"), store.Options{Tool: version().Version, UID: o.app.UID})
	if err != nil {
		return nil, err
	}
	o.app.term.warn("%s cannot be written: what the restore replaces is kept in %s", request.Store.Root(), request.Keep.Root())
	return request.Keep.Lock(command)
}

// openSource is the store that the backup is in: the backup folder, or what a bucket shows.
func (o *restoreOptions) openSource(ctx context.Context) (*store.Store, *offHost, error) {
	if o.store.bucket.address == "" {
		st, err := o.app.stores.openToChange(ctx, o.store)
		return st, nil, err
	}
	return o.app.stores.source(ctx, o.store, o.identity)
}

// keepHere takes the backup folder of this host: there goes what a restore from a bucket replaces.
func (o *restoreOptions) keepHere(request *restore.Request, command string) (lock *store.Lock, err error) {
	if request.Keep, err = o.app.stores.open(o.store); err != nil {
		return nil, err
	}
	return request.Keep.Lock(command)
}

// notRestored gives an error without a remedy the one that every restore has: it may be repeated.
func notRestored(err error) error {
	f := failureOf(err)
	if f == nil || f.Hint != "" {
		return err
	}
	return &Failure{Code: f.Code, Kind: f.Kind, Err: f.Err, Hint: "correct what is named, then run the same command again: it takes up what this one has left"}
}

// consent asks whether the present content may be replaced.
func (o *restoreOptions) consent(ctx context.Context, c *restore.ConsentError) error {
	return o.app.term.ask(ctx, question{
		text:     fmt.Sprintf("%v.\nWhat is in it now is saved as a backup first. Replace it?", c),
		unasked:  c.Error(),
		flags:    "add --yes, or --dry-run to look first",
		declined: o.app.term.nothingWas("restored"),
	})
}
