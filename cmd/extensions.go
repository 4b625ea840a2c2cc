package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
	"sandkeeper/lifecycle/builtin"
	"sandkeeper/survey"
)

const extensionsLong = `Lifecycle extensions are parts of sandkeeper that do something of yours whenever a sandbox is created or deleted: set
labels, for instance, or give it a cloud role. They run in upgrade-sandboxes, restore --recreate and migrate import;
some run around the backups of backup-all as well. A restore into a sandbox that is there runs none of them. Without
configuration none is active, and you need none of these commands.

The [compute] table of config.toml says which are active, in which order; OPENSHELL_COMPUTE_EXTENSIONS replaces that
list. docs/extensions.md has the keys, and shows how to write one.`

func newExtensions(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "extensions", Short: "Lifecycle extensions: list, reconcile, state", Long: extensionsLong,
		Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newExtensionsList(a, nil), newExtensionsReconcile(a, nil), newExtensionsState(a, nil))
	return c
}

// createsKey annotates a command that creates or deletes sandboxes. The value is the flags, apart by spaces, with each of
// which it does not.
const createsKey = "creates-sandboxes"

// creating says of a command that it creates or deletes sandboxes unless it is given one of the flags looking.
func creating(annotations map[string]string, looking string) map[string]string {
	annotations[createsKey] = looking
	return annotations
}

// createsWithKey annotates a command that creates or deletes sandboxes only with a flag, which is the value.
const createsWithKey = "creates-sandboxes-with"

// creatingWith says of a command that it creates or deletes sandboxes only when it is given the flag asked.
func creatingWith(annotations map[string]string, asked string) map[string]string {
	annotations[createsWithKey] = asked
	return annotations
}

// creates reports whether a command, as it is called, creates or deletes sandboxes.
func creates(c *cobra.Command) bool {
	if looking, marked := c.Annotations[createsKey]; marked {
		return !slices.ContainsFunc(strings.Fields(looking), func(flag string) bool {
			return !slices.Contains([]string{"", "false"}, c.Flags().Lookup(flag).Value.String())
		})
	}
	asked, marked := c.Annotations[createsWithKey]
	asks, _ := c.Flags().GetBool(asked)
	return marked && asks
}

// extensions are those that this host has configured, with what is kept of them.
type extensions struct {
	term     *terminal
	host     *survey.Host
	settings *settings
	linked   []lifecycle.Definition // of a downstream, beside the built-in ones
}

// judge refuses a mistake in the configuration of extensions at the start of a command that creates or deletes
// sandboxes. No other command depends on them: there it is a warning, so that it never stands between an operator and a
// backup.
func (e *extensions) judge(c *cobra.Command) error {
	_, err := e.links()
	if f, ok := errors.AsType[*Failure](err); !ok || f.Kind != "config_invalid" {
		return err
	}
	if creates(c) {
		return err
	}
	e.term.warn("%v\n(until that is corrected, no sandbox is created or deleted; %s= switches all extensions off)", err, lifecycle.OverrideVariable)
	return nil
}

// links are the active extensions in chain order. Beside a mistake in their configuration they are those without one.
func (e *extensions) links() ([]lifecycle.Link, error) {
	override, overridden := e.term.Env.Lookup(lifecycle.OverrideVariable)
	registry, err := builtin.Registry(e.linked...)
	if err != nil {
		return nil, err
	}
	links, err := lifecycle.Configure(registry, lifecycle.Source{File: e.settings.file.path, Data: e.settings.file.text, Override: override, Overridden: overridden})
	if err != nil {
		return links, &Failure{
			Code: ExitUsage, Kind: "config_invalid", Err: err,
			Hint: "correct it where it is set (docs/extensions.md has the keys), or switch all extensions off with " + lifecycle.OverrideVariable + "=",
		}
	}

	return links, nil
}

// storePath is where the states of extensions are kept.
func (e *extensions) storePath() (string, error) {
	if stateDir(e.term.Env) == "" {
		return "", usage("set HOME", "there is no home to keep the state of extensions in")
	}
	return filepath.Join(stateDir(e.term.Env), "extensions.db"), nil
}

// readStore opens the store if there is one; nil means that no state was ever kept. A reader does not create it.
func (e *extensions) readStore() (*lifecycle.Store, error) {
	path, err := e.storePath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return openExtensionStore(path)
}

func openExtensionStore(path string) (*lifecycle.Store, error) {
	store, err := lifecycle.OpenStore(path, 2*time.Second)
	if errors.Is(err, lifecycle.ErrBusy) {
		return nil, &Failure{Code: ExitLocked, Kind: "locked", Err: err, Hint: "wait for that run to end, then run this command again"}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil, &journal.FullError{Dir: filepath.Dir(path), Free: -1, Err: err}
	}
	return store, err
}
