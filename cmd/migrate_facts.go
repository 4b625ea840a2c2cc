package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/gateway"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
	"sandkeeper/migrate"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// migrating is a host as a migration sees it: one gateway, and the sandboxes that are or may be its own.
type migrating struct {
	app      *app
	seen     survey.Survey // of one gateway
	store    *store.Store
	gateways *driver.Gateways
	offline  bool     // no gateway is asked
	unseen   []string // what could not be looked at
	spaces   []string // the gateway's workspaces, as far as it tells; looked up once
}

// migrating looks at the host. A gateway that does not answer, or is not to be trusted, is no error: the containers are
// there all the same.
func (a *app) migrating(ctx context.Context, o storeOptions, offline bool) (*migrating, error) {
	if err := a.oneGateway(); err != nil {
		return nil, err
	}
	h := &migrating{app: a, offline: offline}
	var err error
	if h.store, err = a.stores.open(o); err != nil {
		return nil, err
	}
	return h, h.look(ctx, o)
}

// oneGateway refuses where it is not said which of several gateways is meant.
func (a *app) oneGateway() error {
	registry, err := a.host.Registry()
	if err != nil {
		return err
	}
	bindings := a.host.Bindings(registry)
	if len(bindings) < 2 {
		return nil
	}
	var names []string
	for _, b := range bindings {
		names = append(names, b.Gateway)
	}
	return usage("give one with -g NAME", "sandboxes of several gateways are registered here (%s), and one is migrated at a time", strings.Join(names, ", "))
}

func (h *migrating) close() { _ = h.gateways.Close() } // nothing was written over them

// gateway is the gateway that is migrated.
func (h *migrating) gateway() *survey.Gateway { return h.seen.Gateways.Decisive() }

// name is the gateway's.
func (h *migrating) name() string { return h.gateway().Seen.Target.Name }

// look takes the inventory: from the gateway and the containers, or from the containers alone where the gateway cannot
// be asked or must not be trusted.
func (h *migrating) look(ctx context.Context, o storeOptions) error {
	host, recorded := h.app.host, h.app.stores.recorded(o)
	action := preflight.Action{Phrase: preflight.BackingUp().Phrase, Command: "sandkeeper migrate export"}
	var err error
	if h.offline {
		h.seen.Registry, err = host.Registry()
		if err != nil {
			return err
		}
		h.seen.Gateways = host.Judge(ctx, action, host.Bindings(h.seen.Registry))
		h.gateways = &driver.Gateways{Open: host.Connect(h.seen.Gateways)}
		return h.lookOffline(ctx, recorded)
	}

	h.seen, err = host.Look(ctx, survey.Question{Action: action, AllowUnverified: true, Recorded: recorded})
	if len(h.seen.Gateways) == 0 && err == nil { // nothing is registered, and still there is a gateway to plan for
		h.seen.Gateways = host.Judge(ctx, action, host.Bindings(h.seen.Registry))
		err = h.seen.Gateways.Gate(action, true)
	}
	h.gateways = &driver.Gateways{Open: host.Connect(h.seen.Gateways)}
	if _, unknown := errors.AsType[*survey.TargetError](err); unknown || len(h.seen.Gateways) == 0 {
		return h.app.gate.untrusted(err)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	h.unseen = append(h.unseen, fmt.Sprintf("gateway %q did not list its sandboxes, so only those in containers of this host are here: %v", h.name(), err))
	return h.lookOffline(ctx, recorded)
}

func (h *migrating) lookOffline(ctx context.Context, recorded func(name, id string) string) error {
	offline, err := h.app.host.LookOffline(ctx, recorded)
	h.seen.Engines, h.seen.Inventory = offline.Engines, offline.Inventory
	if errors.Is(err, sandbox.ErrNoInventory) {
		h.unseen = append(h.unseen, err.Error())
		return nil
	}
	return err
}

// sandboxes are those of the gateway. One of which nothing says whose it is may be another's, and is nobody's to stop:
// it is only among them where no gateway is asked at all.
func (h *migrating) sandboxes() []sandbox.Sandbox {
	return slices.DeleteFunc(slices.Clone(h.seen.Inventory.Sandboxes), func(sb sandbox.Sandbox) bool {
		return sb.Standing == sandbox.Orphaned || sb.Gateway != h.name() && (sb.Gateway != "" || !h.offline)
	})
}

// strays names the old containers that are left out because nothing says whose they are.
func (h *migrating) strays() (names []string) {
	for _, sb := range h.seen.Inventory.Sandboxes {
		if sb.Gateway == "" && !h.offline && migrate.Old(sb) {
			names = append(names, sb.Container.Name)
		}
	}
	return names
}

// facts are all that a plan is made of.
func (h *migrating) facts(ctx context.Context) migrate.Facts {
	a, seen := h.app, h.gateway().Seen
	f := migrate.Facts{Gateway: h.name(), Running: seen.Evidence().Gateway()}
	if !f.Running.Known() {
		f.Running = seen.File.Version
	}
	database := gateway.ReadDatabase(ctx, a.host.Options(h.gateway().Binding), seen.Target)
	f.Generation = database.Generation()
	if database.State != drift.Absent {
		f.Database = database.Path
	}
	f.Config = h.config(ctx)
	for _, sb := range h.sandboxes() {
		f.Sandboxes = append(f.Sandboxes, h.lookInto(ctx, sb))
	}
	f.Providers = h.providers(ctx)
	set, err := migrate.ReadSet(h.store.Root(), h.name())
	if err != nil && !errors.Is(err, migrate.ErrNoSet) {
		h.unseen = append(h.unseen, err.Error())
	}
	f.Set = set
	f.Unseen = append(h.unseen, h.seen.Inventory.Warnings...)
	if strays := h.strays(); len(strays) > 0 {
		f.Unseen = append(f.Unseen, fmt.Sprintf("nothing says which gateway made %s: left alone; `sandkeeper migrate export --offline` takes them as well", strings.Join(strays, ", ")))
	}
	return f
}

// tomlLimit is far above any gateway.toml.
const tomlLimit = 1 << 20

func (h *migrating) config(ctx context.Context) migrate.Config {
	a := h.app
	c := migrate.Config{Path: gateway.ConfigFile(ctx, a.host.Options(h.gateway().Binding), h.gateway().Seen.Target)}
	if c.Path == "" {
		return c
	}
	c.Content, c.Err = homefile.Read(a.Env.Home(), c.Path, tomlLimit)
	if errors.Is(c.Err, fs.ErrNotExist) {
		c.Err = nil
	}
	if c.Err != nil {
		h.unseen = append(h.unseen, fmt.Sprintf("%s: %v", c.Path, c.Err))
	}
	return c
}

// recipeWait is how long a gateway may take to tell one recipe.
const recipeWait = 10 * time.Second

// lookInto looks at one sandbox: at what its gateway was told, and at what the engine knows.
func (h *migrating) lookInto(ctx context.Context, sb sandbox.Sandbox) migrate.Seen {
	seen := migrate.Seen{Sandbox: sb}
	told, cancel := text.Within(ctx, recipeWait)
	defer cancel()
	if h.offline {
		seen.Untold = "no gateway was asked"
	} else if recipe, err := h.gateways.RecipeOf(told, h.asked(sb)); err == nil {
		seen.Recipe = &recipe
	} else {
		seen.Untold = err.Error()
	}

	on, _ := h.seen.Engines.Main()
	if sb.Container != nil {
		on = h.seen.Engines.Of(*sb.Container)
	}
	if on == nil {
		return seen
	}
	if sb.Container != nil {
		seen.Home, _ = sandbox.FindHome(ctx, on, sb)
	}
	if seen.Recipe != nil && seen.Recipe.Image != "" {
		user, err := on.ImageUser(ctx, seen.Recipe.Image)
		seen.ImageHere, seen.ImageUser = err == nil, user
	}
	return seen
}

// asked is sb as its gateway is asked for it: one of which nothing says whose it is may be this gateway's.
func (h *migrating) asked(sb sandbox.Sandbox) sandbox.Sandbox {
	if sb.Gateway == "" {
		sb.Gateway = h.name()
	}
	return sb
}

// providers are those of every workspace that a sandbox is in.
func (h *migrating) providers(ctx context.Context) []migrate.Provider {
	cli := h.app.host.CLI(h.seen.Gateways)
	if cli == nil || h.offline {
		return nil
	}
	var all []migrate.Provider
	for _, workspace := range h.workspaces(ctx) {
		records, err := cli.ProviderRecords(ctx, h.name(), workspace)
		if err != nil {
			h.unseen = append(h.unseen, fmt.Sprintf("the providers of workspace %s: %v", workspace, err))
			continue
		}
		for _, r := range records {
			p := migrate.Provider{Name: r.Name, Workspace: r.Workspace, Type: r.Type, Credentials: r.Credentials}
			if !slices.ContainsFunc(all, func(o migrate.Provider) bool { return o.Name == p.Name && o.Workspace == p.Workspace }) {
				all = append(all, p)
			}
		}
	}

	return all
}

// workspaces are those of the gateway, sorted, the default one always among them: those that it lists, and those that a
// sandbox is in.
func (h *migrating) workspaces(ctx context.Context) []string {
	if h.spaces != nil {
		return h.spaces
	}
	names := []string{sandbox.DefaultWorkspace}
	for _, sb := range h.sandboxes() {
		names = append(names, sb.Workspace)
	}
	if !h.offline {
		listed, err := h.listWorkspaces(ctx)
		moved := h.gateway().Seen.Evidence().Gateway().Stable() // it is given those of the set
		if err != nil && !moved && !errors.Is(err, openshell.ErrUnsupported) {
			h.unseen = append(h.unseen, fmt.Sprintf("the workspaces of gateway %q are not listed, so one without a sandbox is not carried: %v", h.name(), err))
		}
		names = append(names, listed...)
	}

	slices.Sort(names)
	h.spaces = slices.Compact(names)
	return h.spaces
}

func (h *migrating) listWorkspaces(ctx context.Context) ([]string, error) {
	ctx, cancel := text.Within(ctx, recipeWait)
	defer cancel()
	api, err := h.gateways.API(ctx, h.name())
	if err != nil {
		return nil, err
	}
	return api.Workspaces(ctx)
}
