package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/bucket"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
)

type backupsSyncOptions struct {
	app   *app
	name  string
	store storeOptions
	seal  sealOptions
}

const backupsSyncLong = `Bring the backups of this host into a bucket of an S3 server, so that they are there when the host is not: those of every sandbox and
gateway, or of one sandbox. What goes there is always encrypted, to the age recipients that --seal-to names; this host cannot read it back
without the key. What the backups share is sent once. A backup is seen in the bucket when all of it is there; a run that was cut off is
taken up object by object by the next one. What was removed from the bucket is not sent again while a newer backup of the sandbox is there.

Credentials, region and endpoint come from where the AWS tools have them: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL,
~/.aws/config and ~/.aws/credentials, or the role of the machine.`

func newBackupsSync(a *app, run func(context.Context, *backupsSyncOptions) (*answer, error)) *cobra.Command {
	o := &backupsSyncOptions{app: a}
	if run == nil {
		run = runBackupsSync
	}
	c := &cobra.Command{
		Use: "sync [NAME]", Short: "Bring the backups into a bucket, encrypted", SuggestFor: []string{"push", "upload", "copy"}, Long: backupsSyncLong,
		Example:     "  sandkeeper backups sync --store s3://backups/fleet --seal-to age1…\n  sandkeeper backups sync --store s3://backups/fleet --seal-to age1… --retain-days 30",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted),
	}
	f := c.Flags()
	o.store.addFlags(f)
	o.store.bucket.addFlags(f, "the bucket to bring them to: s3://bucket/prefix")
	o.store.addLockFlag(f)
	o.seal.addFlags(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// synced is one backup that was to be brought into a bucket.
type synced struct {
	Sandbox   string `json:"sandbox"`
	Workspace string `json:"workspace,omitempty"` // of the sandbox
	Gateway   string `json:"gateway,omitempty"`   // whose own state it is; then there is no sandbox
	ID        string `json:"id"`
	OK        bool   `json:"ok"`
	Objects   int    `json:"objects"` // that were written
	Bytes     int64  `json:"bytes"`   // of these
	Shared    int    `json:"shared"`  // that were there already
	Reason    string `json:"reason"`  // why not
}

// syncResult is what a run brought into a bucket.
type syncResult struct {
	Root    string   `json:"root"`
	Store   string   `json:"store"`
	Sent    int      `json:"sent"`
	Failed  int      `json:"failed"`
	Bytes   int64    `json:"bytes"`
	Removed int      `json:"removed"` // backups that were removed from the bucket, and are not sent again
	Backups []synced `json:"backups"`
}

func runBackupsSync(ctx context.Context, o *backupsSyncOptions) (*answer, error) {
	a := o.app
	st, err := a.stores.open(o.store)
	if err != nil {
		return nil, err
	}
	scopes, err := selection{app: a, name: o.name}.scopes(st)
	if err != nil {
		return nil, err
	}
	result, err := a.sync(ctx, st, scopes, outgoing{bucketOptions: o.store.bucket, sealOptions: o.seal, lockWait: o.store.lockWait})
	if result == nil {
		return nil, err
	}
	return &answer{result: result, text: func(term *terminal) { renderSync(term, result) }}, err
}

// sync brings what is new of a store's scopes into the bucket. The result is nil where nothing was begun.
func (a *app) sync(ctx context.Context, st *store.Store, scopes []selection, to outgoing) (result *syncResult, err error) {
	with, err := to.options(to.bucketOptions)
	if err != nil {
		return nil, err
	}
	mayCollect(a.Env, collectOfParts)
	progress := a.term.progress()
	defer progress.Close()
	with.Progress = func(object string, done, all int64) { progress.Update(object, "sending", done, all) }
	b, err := a.stores.bucket(to.bucketOptions, with)
	if err != nil {
		return nil, err
	}
	machine, unlock, err := a.stores.alone(ctx, st.Root(), to.lockWait)
	if err != nil {
		return nil, err
	}
	defer unlock()
	session, err := b.Begin(ctx, bucket.Writing, machine, a.PID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.End(ctx)) }()
	if err := session.Abandoned(ctx); err != nil {
		return nil, err
	}
	s := &syncing{session: session, root: st.Root(), progress: progress, result: &syncResult{Root: st.Root(), Store: b.Address(), Backups: []synced{}}}
	for _, scope := range scopes {
		if err := s.scope(ctx, scope); err != nil {
			return s.result, err
		}
	}

	return s.result, errors.Join(s.failure(), a.tell(ctx, session, b, st, to))
}

// syncing is a run of sync.
type syncing struct {
	session  *bucket.Session
	root     string
	progress *ui.Progress
	result   *syncResult
	problems error
}

// scope brings the backups of one selection, the oldest first. What is wrong with one of them does not hold up the
// others; what is wrong with the bucket does.
func (s *syncing) scope(ctx context.Context, which selection) error {
	all, err := which.backups(ctx)
	if err != nil {
		return err
	}
	folders := map[string][]store.Backup{}
	var order []string
	for _, b := range all {
		folder, err := filepath.Rel(s.root, filepath.Dir(b.Dir))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], b)
	}

	for _, folder := range order {
		if err := s.remember(which.store, folder, folders[folder]); err != nil {
			return err
		}
		missing, removed := s.session.Missing(folder, folders[folder])
		s.result.Removed += removed
		for _, b := range missing {
			if err := s.one(ctx, which, folder, b); err != nil {
				return err
			}
		}
	}

	return nil
}

// remember brings the notes beside backups in line with what the bucket has: a run was killed before it noted what it
// had brought, or what it had brought was removed there.
func (s *syncing) remember(st *store.Store, folder string, backups []store.Backup) error {
	for _, b := range backups {
		if !b.Whole() {
			continue
		}
		note, there := store.SyncedOf(b), s.session.Has(folder, b.ID)
		noted := note != nil && note.Store == s.result.Store
		var err error
		switch {
		case there && !noted:
			err = st.MarkSynced(b, s.result.Store)
		case noted && !there:
			err = st.ForgetSynced(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *syncing) one(ctx context.Context, which selection, folder string, b store.Backup) error {
	line := synced{Sandbox: b.Sandbox, Workspace: b.Series().Workspace, ID: b.ID}
	if which.gateway != "" {
		line.Sandbox, line.Workspace, line.Gateway = "", "", which.gateway
	}
	pushed, err := s.session.Push(ctx, which.store, folder, b)
	line.OK, line.Objects, line.Bytes, line.Shared = err == nil, pushed.Sent, pushed.Bytes, pushed.Shared
	s.result.Bytes += pushed.Bytes
	if err == nil {
		s.result.Sent++
		err = which.store.MarkSynced(b, s.result.Store)
	} else {
		line.Reason = err.Error()
		s.result.Failed++
	}

	s.result.Backups = append(s.result.Backups, line)
	if _, damaged := errors.AsType[*archive.DamageError](err); damaged {
		s.problems = errors.Join(s.problems, fmt.Errorf("%s: %w", which.of(b), err))
		return nil
	}
	return err
}

// failure is the end of a run in which backups were damaged.
func (s *syncing) failure() error {
	if s.problems == nil {
		return nil
	}
	f := &Failure{Code: ExitDamaged, Kind: "verification_failed", Err: s.problems, Hint: "do not delete it; sandkeeper backups verify --read-data says what else is damaged; the next backup stores again what it lacks"}
	if s.result.Sent > 0 {
		f.Code, f.Kind = ExitPartial, kindPartial
	}
	return f
}

func renderSync(term *terminal, r *syncResult) {
	table := term.table()
	for _, b := range r.Backups {
		word, detail := "sent", fmt.Sprintf("%s, %s", size.Count(b.Objects, "object", "objects"), size.Text(b.Bytes))
		if b.Shared > 0 {
			detail += fmt.Sprintf("; %s there already", size.Count(b.Shared, "object was", "objects were"))
		}
		if !b.OK {
			word, detail = "FAIL", b.Reason
		}
		table.Row(word, nameOrGateway(sandbox.Address(b.Workspace, b.Sandbox), b.Gateway), b.ID, detail)
	}

	table.Print(term.Out, nil)
	missing := "Nothing"
	if r.Removed > 0 {
		term.printf("%s removed from the bucket since, and not sent again", backupCount(r.Removed))
		missing = "Nothing else"
	}
	if len(r.Backups) == 0 {
		term.printf("%s is missing in %s.", missing, r.Store)
		return
	}
	term.printf("%s sent, %s, %d failed, to %s", backupCount(r.Sent), size.Text(r.Bytes), r.Failed, r.Store)
}

func nameOrGateway(sandbox, gateway string) string {
	if gateway != "" {
		return "(gateway " + gateway + ")"
	}
	return sandbox
}
