package cmd

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/sandbox"
)

type backupsExportOptions struct {
	app      *app
	which    selection
	to       string
	nemoclaw bool
	identity string
	scrub    bool
	store    storeOptions
}

const backupsExportLong = `Write one backup somewhere else. --to FILE makes one portable tar that "backups import" takes (- is standard output); --nemoclaw writes
the agent's state as a snapshot into NemoClaw's own folder, so that "nemoclaw NAME snapshot restore" takes it. Nothing that is there
already is replaced. A backup that shares content with others is put together first, beside FILE (for - in the temporary folder).

A backup holds the home whole, credentials included. --scrub takes out those that it knows by name or by content and lists what it took;
it may miss some.`

func newBackupsExport(a *app, run func(context.Context, *backupsExportOptions) (*answer, error)) *cobra.Command {
	o := &backupsExportOptions{app: a}
	if run == nil {
		run = runBackupsExport
	}
	c := &cobra.Command{
		Use: "export NAME [ID]", Short: "Write one backup as a portable tar, or for NemoClaw", Long: backupsExportLong,
		Example:     "  sandkeeper backups export alpha --to /media/usb/alpha.tar\n  sandkeeper backups export alpha --nemoclaw",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitNotFound, ExitDamaged, ExitInterrupted),
	}
	f := c.Flags()
	f.StringVar(&o.to, "to", "", "the file to write; - is standard output")
	f.BoolVar(&o.nemoclaw, "nemoclaw", false, "write a snapshot into NemoClaw's rebuild-backups folder")
	f.BoolVar(&o.scrub, "scrub", false, "leave out the credentials that are known by name or by content, and list them (with --to)")
	f.StringVar(&o.identity, "identity", "", "age identity file that opens an encrypted backup (for --nemoclaw and --scrub, and for one that shares content with others)")
	o.store.addFlags(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.which.name, o.which.id = args[0], argument(args, 1)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// exported is what an export made.
type exported struct {
	Sandbox   string              `json:"sandbox"`
	Workspace string              `json:"workspace,omitempty"` // of the sandbox
	ID        string              `json:"id"`
	Path      string              `json:"path"`
	Skipped   []archive.Exclusion `json:"skipped"`
}

func runBackupsExport(ctx context.Context, o *backupsExportOptions) (*answer, error) {
	if (o.to == "") == !o.nemoclaw {
		return nil, usage("give --to FILE, or --nemoclaw", "where to? one of --to and --nemoclaw is needed")
	}
	if o.scrub && (o.nemoclaw || o.to == "-") {
		return nil, usage("give --to FILE", "--scrub writes a file")
	}
	if o.to == "-" && o.app.term.json {
		return nil, usage("give --to FILE", "standard output cannot hold both the backup and JSON")
	}
	if o.to != "" && o.to != "-" {
		if err := inFolder("--to", o.to); err != nil {
			return nil, err
		}
	}
	st, err := o.app.stores.open(o.store)
	if err != nil {
		return nil, err
	}
	o.which.store = st
	b, err := o.which.one(ctx)
	if err != nil {
		return nil, err
	}
	result := exported{Sandbox: b.Sandbox, Workspace: b.Series().Workspace, ID: b.ID, Path: o.to, Skipped: []archive.Exclusion{}}
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	if o.to == "-" {
		return &answer{}, st.Export(ctx, b, o.app.Out, store.ExportOptions{Identities: identities})
	}
	if err := o.write(ctx, st, b, identities, &result); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = usage("nothing that is there is replaced: choose another place, or move it away", "%w", err)
		}
		return nil, noRoom(err, o.to)
	}
	return &answer{result: result, text: func(term *terminal) { renderExported(term, result) }}, nil
}

func (o *backupsExportOptions) write(ctx context.Context, st *store.Store, b store.Backup, identities archive.Identities, result *exported) (err error) {
	if !o.nemoclaw && !o.scrub {
		if err = st.ExportFile(ctx, b, o.to, identities); err == nil {
			o.warnPlain(b)
		}
		return err
	}
	if o.scrub {
		result.Skipped, err = st.ExportScrubbed(ctx, b, o.to, store.ScrubOptions{Identities: identities, Withhold: driver.WithheldText})
		if err == nil {
			o.app.term.warn("credentials were taken out by name and by content; some may have been missed: look before you pass %s on", o.to)
		}
		return err
	}

	home := o.app.Env.Home()
	if home == "" {
		return usage("set HOME", "there is no home that NemoClaw's folder could be in")
	}
	made, err := st.ExportSnapshot(ctx, b, store.SnapshotRequest{Root: filepath.Join(home, ".nemoclaw", "rebuild-backups"), Identities: identities})
	if err != nil {
		return err
	}
	result.Path = made.Dir
	result.Skipped = append(result.Skipped, made.Skipped...)
	return nil
}

// warnPlain says that a copy of a backup that is not encrypted holds credentials.
func (o *backupsExportOptions) warnPlain(b store.Backup) {
	if b.Manifest.Encryption == nil {
		o.app.term.warn("%s holds the home whole, credentials included, and is not encrypted; --scrub takes out those that are known", o.to)
	}
}

func renderExported(term *terminal, e exported) {
	for _, s := range e.Skipped {
		term.printf("not in it: %s (%s)", s.Path, s.Reason)
	}
	term.printf("Exported backup %s of %s to %s", e.ID, sandbox.Address(e.Workspace, e.Sandbox), e.Path)
}
