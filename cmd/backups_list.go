package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
)

type backupsListOptions struct {
	app   *app
	name  string
	store storeOptions
}

func newBackupsList(a *app, run func(context.Context, *backupsListOptions) (*answer, error)) *cobra.Command {
	o := &backupsListOptions{app: a}
	if run == nil {
		run = runBackupsList
	}
	c := &cobra.Command{
		Use: "list [NAME]", Short: "List backups, newest first",
		Long:        "List the backups of every sandbox, or of one, newest first. Damaged ones are listed as damaged; they are never chosen as latest.",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitNotFound),
	}
	o.store.addFlags(c.Flags())
	o.store.bucket.addReadFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		o.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// listed is one backup as lists show it.
type listed struct {
	Sandbox     string              `json:"sandbox"`
	Workspace   string              `json:"workspace"`
	Gateway     string              `json:"gateway"` // "" when it was made without asking one
	ID          string              `json:"id"`
	Path        string              `json:"path"`
	Started     time.Time           `json:"started"`
	Bytes       int64               `json:"bytes"` // of the archive
	Files       int                 `json:"files"`
	SHA256      string              `json:"sha256"`
	Consistency archive.Consistency `json:"consistency"`
	Encrypted   bool                `json:"encrypted"`
	Label       string              `json:"label"`
	Verified    *store.Verified     `json:"verified"`
	Damage      string              `json:"damage"` // why it cannot be believed; "" when it can

	beside int64 // bytes of the files beside the archive
}

func newListed(b store.Backup, off *offHost) listed {
	l := listed{Sandbox: b.Sandbox, ID: b.ID, Path: off.path(b), Started: b.Time(), Verified: b.Verified}
	if b.Damage != nil {
		l.Damage = b.Damage.Error()
		return l
	}
	m := b.Manifest
	l.Workspace, l.Gateway, l.Bytes, l.SHA256, l.Files = b.Series().Workspace, m.Gateway, m.Archive.Bytes, m.Archive.SHA256, m.Content.Files
	l.Consistency, l.Encrypted, l.Label, l.Started = m.Consistency, m.Encryption != nil, m.Label, m.Started
	l.beside = b.Beside()
	return l
}

func runBackupsList(ctx context.Context, o *backupsListOptions) (_ *answer, err error) {
	store, off, err := o.app.stores.source(ctx, o.store, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	if err := o.store.named(store.Root()); err != nil {
		return nil, err
	}
	links, err := o.links(store)
	if err != nil {
		return nil, err
	}
	backups, err := selection{app: o.app, store: store, off: off, name: o.name}.backups(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]listed, 0, len(backups))
	for _, b := range backups {
		list = append(list, newListed(b, off))
	}
	states := []listed{}
	if o.name == "" {
		if states, err = gatewayStates(store, off); err != nil {
			return nil, err
		}
	}

	totals := totalsOf(slices.Concat(list, states), time.Now())
	totals.Retired = retired(store, backups)
	if off != nil {
		totals.Retired = off.Retired(backups)
	}
	result := map[string]any{"root": off.root(store), "backups": list, "gatewayStates": states, "totals": totals, "links": links}
	return &answer{result: result, text: func(term *terminal) {
		renderList(term, off.root(store), list, states)
		if totals.Backups > 0 {
			term.printf("%s", totals.text())
		}
	}}, nil
}

// links names what lies in the store and leads out of it.
func (o *backupsListOptions) links(st *store.Store) ([]string, error) {
	links, err := st.Links()
	for _, link := range links {
		o.app.term.warn("%s is a link, and none is followed below the backup folder: what is behind it is in no list; move it here, or name its folder with --backup-dir", link)
	}
	return append([]string{}, links...), err
}

// retired is what is kept of removed backups because some of these may share it.
func retired(st *store.Store, backups []store.Backup) (bytes int64) {
	seen := map[string]bool{}
	for _, b := range backups {
		if !seen[b.Sandbox] {
			seen[b.Sandbox] = true
			bytes += st.Retired(b.Sandbox)
		}
	}
	return bytes
}

// growthSpan is the time for which a list says how much was added.
const growthSpan = 7 * 24 * time.Hour

// listTotals sum up a list. Content that several backups of one sandbox share is stored once, and counted once.
type listTotals struct {
	Backups  int   `json:"backups"`
	Of       int   `json:"of"`       // so many sandboxes and gateways
	Bytes    int64 `json:"bytes"`    // of the archives, and of the files beside them
	LastWeek int64 `json:"lastWeek"` // what of it the last seven days have added
	Retired  int64 `json:"retired"`  // beside it, what is kept of removed backups because these share it
	Damaged  int   `json:"damaged"`
}

func totalsOf(list []listed, now time.Time) listTotals {
	t := listTotals{Backups: len(list)}
	owners, named, first := map[string]bool{}, map[string]bool{}, map[string]listed{} // the oldest backup with some content brought it
	for _, l := range list {
		owner := l.Sandbox + "\x00" + l.Workspace + "\x00" + l.Gateway
		if l.Damage != "" {
			t.Damaged++
			continue
		}
		owners[owner], named[l.Sandbox] = true, true
		content := owner + "\x00" + l.SHA256
		if known, seen := first[content]; !seen || l.Started.Before(known.Started) {
			first[content] = l
		}
	}

	for _, l := range list { // a damaged backup does not say more than a name
		if l.Damage != "" && !named[l.Sandbox] {
			owners[l.Sandbox+"\x00"+l.Gateway] = true
		}
	}

	t.Of = len(owners)
	for _, l := range first {
		t.add(l.Started, l.Bytes, now)
	}
	for _, l := range list {
		t.add(l.Started, l.beside, now)
	}
	return t
}

func (t *listTotals) add(started time.Time, bytes int64, now time.Time) {
	t.Bytes += bytes
	if now.Sub(started) < growthSpan {
		t.LastWeek += bytes
	}
}

func (t *listTotals) text() string {
	return fmt.Sprintf("%s of %s: %s, of which the last 7 days added %s%s", backupCount(t.Backups), size.Count(t.Of, "sandbox or gateway", "sandboxes and gateways"),
		size.Text(t.Bytes), size.Text(t.LastWeek), watch.RetiredText(t.Retired))
}

func renderList(term *terminal, root string, list, states []listed) {
	if len(list) == 0 && len(states) == 0 {
		term.printf("No backups in %s.", root)
		return
	}
	table := term.table()
	columns := listColumns{gateways: severalGateways(list), narrow: table.Width > 0 && table.Width < 100}
	table.Row(columns.pick("SANDBOX", "GATEWAY", "ID", "AGE", "SIZE", "FILES", "CONSISTENCY", "VERIFIED", "LABEL")...)
	for _, l := range list {
		table.Row(columns.of(sandbox.Address(l.Workspace, l.Sandbox), l)...)
	}
	for _, l := range states {
		table.Row(columns.of("(gateway "+l.Gateway+")", l)...)
	}
	table.Print(term.Out, nil)
	for _, l := range slices.Concat(list, states) {
		if l.Damage != "" {
			term.printf("damaged: %s %s: %s", cmp.Or(sandbox.Address(l.Workspace, l.Sandbox), "gateway "+l.Gateway), l.ID, l.Damage)
		}
	}

	term.printf("Backups stored in: %s", root)
}

// listColumns are what of a list is shown: the gateway where there are several, and on a narrow terminal only what one
// looks for first.
type listColumns struct{ gateways, narrow bool }

func (c listColumns) of(name string, l listed) []string {
	bytes, files := size.Text(l.Bytes), fmt.Sprint(l.Files)
	if l.Damage != "" {
		bytes, files = "-", "-" // its manifest, which says so, cannot be believed
	}
	verified := l.verified()
	if c.narrow {
		verified, _, _ = strings.Cut(verified, ",")
	}
	return c.pick(name, orDash(l.Gateway), l.ID, ui.Age(time.Since(l.Started)), bytes, files, string(l.Consistency), verified, l.Label)
}

// pick leaves out of a whole row, in the order of the heading, what is not shown.
func (c listColumns) pick(row ...string) []string {
	const gateway, bytes, files, consistency, verified, label = 1, 4, 5, 6, 7, 8
	var shown []string
	for column, cell := range row {
		switch column {
		case gateway:
			if !c.gateways {
				continue
			}
		case bytes, files, consistency, label:
			if c.narrow {
				continue
			}
		case verified:
			if c.narrow {
				cell = row[bytes] + ", " + cell // the last cell is the one that goes below where there is no room
			}
		}
		shown = append(shown, cell)
	}
	return shown
}

// severalGateways reports whether the backups are of sandboxes on more than one gateway: only then does it matter
// which.
func severalGateways(list []listed) bool {
	gateways := map[string]bool{}
	for _, l := range list {
		if l.Gateway != "" {
			gateways[l.Gateway] = true
		}
	}
	return len(gateways) > 1
}

func (l listed) verified() string {
	switch {
	case l.Damage != "":
		return "DAMAGED"
	case l.Verified == nil:
		return "no"
	case l.Verified.ReadData:
		return "every byte, " + ui.Age(time.Since(l.Verified.At)) + " ago"
	}
	return "structure, " + ui.Age(time.Since(l.Verified.At)) + " ago"
}
