package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

const backupsLong = `Look after what backup-all has stored: list, show, verify, prune, export and import backups. Reading takes no lock. What it has saved of
the gateways themselves is listed and verified as well; --gateway-state NAME shows, verifies or prunes that of one.`

func newBackups(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "backups", Short: "List, show, verify, prune, export and import backups", Long: backupsLong,
		Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newBackupsList(a, nil), newBackupsShow(a, nil), newBackupsVerify(a, nil), newBackupsPrune(a, nil),
		newBackupsExport(a, nil), newBackupsImport(a, nil))
	return c
}

// selection is which backups a command is about: those of every sandbox, of one, or one by its id.
type selection struct {
	store   *store.Store
	name    string // a sandbox, or the id of a backup; "" is everything
	id      string // narrows a sandbox to one backup: an id, the beginning of one, or "latest"
	gateway string // not sandboxes, but the saved state of this gateway
}

func (s *selection) addFlag(f *pflag.FlagSet) {
	f.StringVar(&s.gateway, "gateway-state", "", "not of sandboxes: the saved state of this gateway")
}

// in is the selection in a store.
func (s selection) in(store *store.Store) selection {
	s.store = store
	if s.gateway != "" {
		s.store, s.name = store.Gateways(), s.gateway
	}
	return s
}

// scopes are the selections that a command goes through: the one that was asked for, or, when none was, all sandboxes and each gateway.
func (s selection) scopes(store *store.Store) ([]selection, error) {
	scopes := []selection{s.in(store)}
	if s.name != "" || s.gateway != "" {
		return scopes, nil
	}
	names, err := store.Gateways().Sandboxes()
	for _, name := range names {
		scopes = append(scopes, selection{gateway: name}.in(store))
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
	return fmt.Sprintf("backup %s of %s %q", b.ID, s.noun(), b.Sandbox)
}

// backups are the selected ones, grouped by sandbox, newest first.
func (s selection) backups(ctx context.Context) ([]store.Backup, error) {
	if s.id != "" {
		b, err := s.store.Find(s.name, s.id)
		return []store.Backup{b}, err
	}
	names, err := s.store.Sandboxes()
	if err != nil {
		return nil, err
	}
	var selected []store.Backup
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := s.store.Backups(name)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if s.name == "" || s.name == b.Sandbox || s.name == b.ID {
				selected = append(selected, b)
			}
		}
	}
	if len(selected) == 0 && s.name != "" {
		return nil, notFound("no %s with backups, and no backup, is called %q in %s", s.noun(), s.name, s.store.Root())
	}
	return selected, nil
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
	id := s.id
	if id == "" {
		id = store.Latest
	}
	return s.store.Find(s.name, id)
}

func notFound(format string, args ...any) *Failure {
	f := usage("sandkeeper backups list shows what there is", format, args...)
	f.Code, f.Kind = ExitNotFound, "not_found"
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
