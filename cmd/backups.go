package cmd

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

const backupsLong = `Look after what backup-all has stored: list, show, verify, drill, prune, export and import backups. Reading takes no lock. What it has saved of
the gateways themselves is listed and verified as well; --gateway-state NAME shows, verifies or prunes that of one.`

func newBackups(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "backups", Short: "List, show, verify, drill, prune, export and import backups", Long: backupsLong,
		Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newBackupsList(a, nil), newBackupsShow(a, nil), newBackupsVerify(a, nil), newBackupsDrill(a, nil), newBackupsPrune(a, nil),
		newBackupsExport(a, nil), newBackupsImport(a, nil), newBackupsSync(a, nil))
	return c
}

// selection is which backups a command is about: those of every sandbox, of one, or one by its id.
type selection struct {
	store   *store.Store
	name    string // a sandbox, or the id of a backup; "" is everything
	id      string // narrows a sandbox to one backup: an id, the beginning of one, or "latest"
	gateway string // not sandboxes, but the saved state of this gateway
	off     *offHost
	app     *app // whose -g and --workspace limit what is meant; nil limits nothing

	maybeNone bool // that -g and --workspace leave nothing of what there is, is no error
}

func (s *selection) addFlag(a *app, f *pflag.FlagSet) {
	s.app = a
	f.StringVar(&s.gateway, "gateway-state", "", "the saved state of this gateway, instead of sandboxes")
}

// in is the selection in a store.
func (s selection) in(store *store.Store) selection {
	s.store = store
	if s.gateway != "" {
		s.store, s.name = store.Gateways(), s.gateway
	}
	return s
}

// scopes are the selections that a command goes through: the one that was asked for, or, when none was, all sandboxes
// and each gateway.
func (s selection) scopes(store *store.Store) ([]selection, error) {
	scopes := []selection{s.in(store)}
	if s.name != "" || s.gateway != "" {
		return scopes, nil
	}
	names, err := store.Gateways().Sandboxes()
	for _, name := range names {
		scopes = append(scopes, selection{gateway: name, off: s.off}.in(store))
	}
	return scopes, err
}

// single refuses a sandbox beside a gateway.
func (s selection) single() error {
	if s.gateway != "" && s.name != "" {
		return usage("leave one of them out", "--gateway-state %q is about a gateway, %q about sandboxes", s.gateway, s.name)
	}
	return nil
}

// of says what b is a backup of.
func (s selection) of(b store.Backup) string {
	return fmt.Sprintf("backup %s of %s %q", b.ID, s.noun(), b.Series().Address())
}

// backups are the selected ones, grouped by sandbox, newest first.
func (s selection) backups(ctx context.Context) ([]store.Backup, error) {
	workspace, name := s.address()
	if s.id != "" {
		b, err := s.store.Find(name, s.id)
		return []store.Backup{b}, s.off.missing(err)
	}
	names, err := s.store.Sandboxes()
	if err != nil {
		return nil, err
	}
	var selected []store.Backup
	others := false // there are backups, of what is not meant
	for _, has := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := s.store.Backups(has)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if (name == "" || name == b.Sandbox || name == b.ID) && s.within(workspace, b) {
				selected = append(selected, b)
			}
		}
		others = others || len(list) > 0
	}

	switch {
	case len(selected) > 0:
		return selected, nil
	case s.name != "":
		return nil, s.off.missing(notFound("no %s with backups, and no backup, is called %q in %s", s.noun(), s.name, s.off.root(s.store)))
	case others && !s.maybeNone:
		return nil, s.unmatched()
	}
	return nil, nil
}

// unmatched is the error where -g and --workspace leave no backup of those that there are: a typing mistake must not end
// well. Of a gateway its own state may be all that was saved.
func (s selection) unmatched() error {
	host := s.app.host
	if host.Workspace == "" {
		gateways, err := s.store.Gateways().Sandboxes()
		if err != nil || slices.Contains(gateways, host.Gateway) {
			return err
		}
	}
	return notFound("no backup in %s is of a sandbox%s%s", s.off.root(s.store), ofGateway(host.Gateway), inWorkspace(host.Workspace))
}

// address is the workspace and the name that are meant.
func (s selection) address() (workspace, name string) {
	if s.app == nil || s.gateway != "" {
		return "", s.name
	}
	return s.app.stores.address(s.name)
}

// within reports whether b is of the workspace and, with -g, of the gateway that are meant. A backup that does not say
// is of any.
func (s selection) within(workspace string, b store.Backup) bool {
	if !b.Whole() || s.gateway != "" {
		return true
	}
	of, gateway := b.Series(), ""
	if s.app != nil {
		gateway = s.app.host.Gateway
	}
	return (workspace == "" || of.Workspace == workspace) && (gateway == "" || of.Gateway == "" || of.Gateway == gateway)
}

func (s selection) noun() string {
	if s.gateway != "" {
		return "gateway"
	}
	return "sandbox"
}

// one is the single selected backup; for a sandbox without an id, its newest whole one.
func (s selection) one(ctx context.Context) (store.Backup, error) {
	if s.id == "" && archive.ValidID(s.name) {
		found, err := s.backups(ctx)
		if err != nil {
			return store.Backup{}, err
		}
		return found[0], nil
	}

	workspace, name := s.address()
	b, err := s.find(workspace, name, cmp.Or(s.id, store.Latest))
	return b, s.off.missing(err)
}

// find is one backup of a sandbox or a gateway by its id, or the newest whole one.
func (s selection) find(workspace, name, id string) (store.Backup, error) {
	switch {
	case s.app == nil || s.gateway != "":
		return s.store.Find(name, id)
	case id == store.Latest:
		return s.app.stores.latest(s.store, workspace, name)
	default:
		return s.app.stores.find(s.store, workspace, name, id)
	}
}

// listHint is where a backup is looked for that was not found.
const listHint = "sandkeeper backups list shows what there is"

func notFound(format string, args ...any) *Failure {
	f := usage(listHint, format, args...)
	f.Code, f.Kind = ExitNotFound, "not_found"
	return f
}

// nothingIn is for a store without any backup: a list of it helps nobody.
func nothingIn(root string) *Failure {
	f := notFound("there is no backup in %s", root)
	f.Hint = "sandkeeper backup-all makes them; --backup-dir looks in another folder"
	return f
}

// argument is the n-th argument, or "".
func argument(args []string, n int) string {
	if n < len(args) {
		return args[n]
	}
	return ""
}

// readIdentities reads the age keys that open encrypted archives; none without a file.
func readIdentities(file string) (archive.Identities, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usage("give a file that age-keygen wrote", "--identity: %w", err)
	}
	defer f.Close()
	identities, err := archive.ReadIdentities(f)
	if err != nil {
		return nil, usage("give a file that age-keygen wrote", "--identity %s: %w", file, err)
	}
	return identities, nil
}
