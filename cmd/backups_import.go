package cmd

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

type backupsImportOptions struct {
	app      *app
	from     string
	identity string
	capture  captureOptions
	store    storeOptions
}

const backupsImportLong = `Take in a backup from elsewhere: a tar that "backups export" wrote (- is standard input), or the folder of a NemoClaw snapshot, which is
only read. Every byte is verified before the backup becomes visible. A tar is taken in as it was exported, encrypted or not; --encrypt-to
is for a snapshot.`

func newBackupsImport(a *app, run func(context.Context, *backupsImportOptions) (*answer, error)) *cobra.Command {
	o := &backupsImportOptions{app: a}
	if run == nil {
		run = runBackupsImport
	}
	c := &cobra.Command{
		Use: "import FILE|FOLDER|-", Short: "Take in an exported backup or a NemoClaw snapshot", Long: backupsImportLong,
		Example:     "  sandkeeper backups import /media/usb/alpha.tar\n  sandkeeper backups import ~/.nemoclaw/rebuild-backups/alpha/2026-06-26T12-34-56-789Z",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitLocked, ExitDamaged, ExitInterrupted),
	}
	f := c.Flags()
	f.StringVar(&o.identity, "identity", "", "age identity file that opens an encrypted backup")
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	o.capture.addFlags(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.from = args[0]
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

func runBackupsImport(ctx context.Context, o *backupsImportOptions) (*answer, error) {
	if err := o.capture.check(); err != nil {
		return nil, err
	}
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	store, err := o.app.stores.openToChange(ctx, o.store)
	if err != nil {
		return nil, err
	}
	if err := o.capture.mayBePlain(store.Root()); err != nil {
		return nil, err
	}
	lock, err := store.Lock("backups import")
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Unlock() }()
	b, err := o.take(ctx, store, identities)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, o.refused(err)
	}
	if len(o.capture.encryptTo) > 0 && b.Manifest.Encryption == nil {
		o.app.term.warn("%s is not encrypted: a tar is taken in as it was exported, and --encrypt-to is for the folder of a NemoClaw snapshot", b.Dir)
	}
	result := newListed(b, nil)
	return &answer{result: result, text: func(term *terminal) {
		term.printf("Imported backup %s of %s: %s, in %s", result.ID, sandbox.Address(result.Workspace, result.Sandbox), fileCount(result.Files), result.Path)
	}}, nil
}

func (o *backupsImportOptions) take(ctx context.Context, st *store.Store, identities archive.Identities) (store.Backup, error) {
	if o.from == "-" {
		return o.takeTar(ctx, st, o.app.In, identities)
	}
	info, err := os.Stat(o.from)
	if err != nil {
		return store.Backup{}, usage("give a tar file, a snapshot's folder, or -", "%w", withoutCall(err))
	}
	if info.IsDir() {
		return st.ImportSnapshot(ctx, o.from, store.NewBackup{
			Recipients: o.capture.encryptTo,
		})
	}

	f, err := os.Open(o.from)
	if err != nil {
		return store.Backup{}, usage("give a file that this user may read", "%w", withoutCall(err))
	}
	defer f.Close()
	return o.takeTar(ctx, st, f, identities)
}

func (o *backupsImportOptions) takeTar(ctx context.Context, st *store.Store, in io.Reader, identities archive.Identities) (store.Backup, error) {
	b, err := st.Import(ctx, interruptible(ctx, in), identities)
	return b, about(o.from, err)
}

// refused gives the reason why a backup was not taken in its exit code: what is not whole is damaged. Nothing of it was
// kept.
func (o *backupsImportOptions) refused(err error) error {
	_, damaged := errors.AsType[*archive.DamageError](err)
	exists, there := errors.AsType[*store.ExistsError](err)
	switch {
	case damaged, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tar.ErrHeader):
		return &Failure{
			Code: ExitDamaged, Kind: "verification_failed", Err: text.As(err, "%s", strings.ReplaceAll(err.Error(), io.ErrUnexpectedEOF.Error(), "it ends too early")),
			Hint: "nothing was taken in; export it again where it comes from",
		}
	case errors.Is(err, fs.ErrNotExist):
		return usage("give a tar file that backups export wrote, or the folder of a NemoClaw snapshot", "%w", err)
	case there && exists.Same:
		return &Failure{Code: ExitRefused, Kind: "exists", Err: err, Hint: "there is nothing left to take in: sandkeeper backups list shows it"}
	case errors.Is(err, fs.ErrExist):
		return &Failure{Code: ExitRefused, Kind: "exists", Err: err, Hint: "no backup that is there is replaced: take this one into another folder, with --backup-dir"}
	}
	return err
}
