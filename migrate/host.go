package migrate

import (
	"cmp"
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
	"sandkeeper/engine"
	"sandkeeper/gateway"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// Host is a host as a migration sees it: one gateway, and the sandboxes that are or may be its own. Close it.
type Host struct {
	Seen     survey.Survey // of one gateway
	Store    *store.Store
	Gateways *driver.Gateways
	Unlisted error // why there may be sandboxes that were not seen: whoever should have listed them did not; nil when all did

	on      *survey.Host
	offline bool     // no gateway is asked
	unseen  []string // what could not be looked at
	spaces  []string // the gateway's workspaces, as far as it tells; looked up once
}

// LookAt looks at a host. A gateway that does not answer, or is not to be trusted, is no error: the containers are there all
// the same. Errors: those of survey.Host.Look where it is not known which gateway is meant, and *sandbox.RegistryError.
func LookAt(ctx context.Context, on *survey.Host, st *store.Store, offline bool) (*Host, error) {
	h := &Host{Store: st, on: on, offline: offline}
	return h, h.look(ctx)
}

// Close ends the connections to the gateway.
func (h *Host) Close() { _ = h.Gateways.Close() } // nothing was written over them

// Gateway is the gateway that is migrated.
func (h *Host) Gateway() *survey.Gateway { return h.Seen.Gateways.Decisive() }

// Name is the gateway's.
func (h *Host) Name() string { return h.Gateway().Seen.Target.Name }

// look takes the inventory: from the gateway and the containers, or from the containers alone where the gateway cannot
// be asked or must not be trusted.
func (h *Host) look(ctx context.Context) error {
	host := h.on
	action := preflight.Action{Phrase: preflight.BackingUp().Phrase, Command: "sandkeeper migrate export"}
	var err error
	if h.offline {
		h.Seen.Registry, err = host.Registry()
		if err != nil {
			return err
		}
		h.Seen.Gateways = host.Judge(ctx, action, host.Bindings(h.Seen.Registry))
		h.Gateways = &driver.Gateways{Open: host.Connect(h.Seen.Gateways)}
		return h.lookOffline(ctx)
	}

	h.Seen, err = host.Look(ctx, survey.Question{Action: action, AllowUnverified: true, Recorded: h.Store.GatewayOf})
	if len(h.Seen.Gateways) == 0 && err == nil { // nothing is registered, and still there is a gateway to plan for
		h.Seen.Gateways = host.Judge(ctx, action, host.Bindings(h.Seen.Registry))
		err = h.Seen.Gateways.Gate(action, true)
	}
	h.Gateways = &driver.Gateways{Open: host.Connect(h.Seen.Gateways)}
	if _, unknown := errors.AsType[*survey.TargetError](err); unknown || len(h.Seen.Gateways) == 0 {
		return err
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	h.Unlisted = err
	h.unseen = append(h.unseen, fmt.Sprintf("gateway %q did not list its sandboxes, so only those in containers of this host are here: %v", h.Name(), err))
	return h.lookOffline(ctx)
}

func (h *Host) lookOffline(ctx context.Context) error {
	offline, err := h.on.LookOffline(ctx, h.Store.GatewayOf)
	h.Seen.Engines, h.Seen.Inventory = offline.Engines, offline.Inventory
	if errors.Is(err, sandbox.ErrNoInventory) {
		h.Unlisted = cmp.Or(h.Unlisted, err)
		h.unseen = append(h.unseen, err.Error())
		return nil
	}
	return err
}

// sandboxes are those of the gateway. One of which nothing says whose it is may be another's, and is nobody's to stop:
// it is only among them where no gateway is asked at all.
func (h *Host) sandboxes() []sandbox.Sandbox {
	return slices.DeleteFunc(slices.Clone(h.Seen.Inventory.Sandboxes), func(sb sandbox.Sandbox) bool {
		return sb.Standing == sandbox.Orphaned || sb.Gateway != h.Name() && (sb.Gateway != "" || !h.offline)
	})
}

// strays names the old containers that are left out because nothing says whose they are.
func (h *Host) strays() (names []string) {
	for _, sb := range h.Seen.Inventory.Sandboxes {
		if sb.Gateway == "" && !h.offline && Old(sb) {
			names = append(names, sb.Container.Name)
		}
	}
	return names
}

// Facts are all that a plan is made of.
func (h *Host) Facts(ctx context.Context) Facts {
	seen := h.Gateway().Seen
	f := Facts{Gateway: h.Name(), Running: seen.Evidence().Gateway()}
	if !f.Running.Known() {
		f.Running = seen.File.Version
	}
	database := gateway.ReadDatabase(ctx, h.on.Options(h.Gateway().Binding), seen.Target)
	f.Generation = database.Generation()
	if database.State != drift.Absent {
		f.Database = database.Path
	}
	f.Config = h.config(ctx)
	for _, sb := range h.sandboxes() {
		f.Sandboxes = append(f.Sandboxes, h.lookInto(ctx, sb))
	}
	f.Providers = h.providers(ctx)
	if f.Set, f.SetErr = ReadSet(h.Store.Root(), h.Name()); errors.Is(f.SetErr, ErrNoSet) {
		f.SetErr = nil
	}
	if f.SetErr != nil {
		h.unseen = append(h.unseen, f.SetErr.Error())
	}
	f.Unseen = append(h.unseen, h.Seen.Inventory.Warnings...)
	if strays := h.strays(); len(strays) > 0 {
		f.Unseen = append(f.Unseen, fmt.Sprintf("nothing says which gateway made %s: left alone; `sandkeeper migrate export --offline` takes them as well", strings.Join(strays, ", ")))
	}
	return f
}

// tomlLimit is far above any gateway.toml.
const tomlLimit = 1 << 20

func (h *Host) config(ctx context.Context) Config {
	c := Config{Path: gateway.ConfigFile(ctx, h.on.Options(h.Gateway().Binding), h.Gateway().Seen.Target)}
	if c.Path == "" {
		return c
	}
	c.Content, c.Err = homefile.Read(h.on.Env.Home(), c.Path, tomlLimit)
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
func (h *Host) lookInto(ctx context.Context, sb sandbox.Sandbox) Seen {
	seen := Seen{Sandbox: sb}
	told, cancel := text.Within(ctx, recipeWait)
	defer cancel()
	if h.offline {
		seen.Untold = "no gateway was asked"
	} else if recipe, err := h.Gateways.RecipeOf(told, h.Asked(sb)); err == nil {
		seen.Recipe = &recipe
	} else {
		seen.Untold = err.Error()
	}

	on, _ := h.Seen.Engines.Main()
	if sb.Container != nil {
		on = h.Seen.Engines.Of(*sb.Container)
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

// Asked is sb as its gateway is asked for it: one of which nothing says whose it is may be this gateway's.
func (h *Host) Asked(sb sandbox.Sandbox) sandbox.Sandbox {
	if sb.Gateway == "" {
		sb.Gateway = h.Name()
	}
	return sb
}

// providers are those of every workspace that a sandbox is in.
func (h *Host) providers(ctx context.Context) []Provider {
	cli := h.on.CLI(h.Seen.Gateways)
	if cli == nil || h.offline {
		return nil
	}
	var all []Provider
	for _, workspace := range h.Workspaces(ctx) {
		records, err := cli.ProviderRecords(ctx, h.Name(), workspace)
		if err != nil {
			h.unseen = append(h.unseen, fmt.Sprintf("the providers of workspace %s: %v", workspace, err))
			continue
		}
		for _, r := range records {
			p := Provider{Name: r.Name, Workspace: r.Workspace, Type: r.Type, Credentials: r.Credentials}
			if !slices.ContainsFunc(all, func(o Provider) bool { return o.Name == p.Name && o.Workspace == p.Workspace }) {
				all = append(all, p)
			}
		}
	}

	return all
}

// Workspaces are those of the gateway, sorted, the default one always among them: those that it lists, and those that a
// sandbox is in.
func (h *Host) Workspaces(ctx context.Context) []string {
	if h.spaces != nil {
		return h.spaces
	}
	names := []string{sandbox.DefaultWorkspace}
	for _, sb := range h.sandboxes() {
		names = append(names, sb.Workspace)
	}
	if !h.offline {
		listed, err := h.listWorkspaces(ctx)
		moved := h.Gateway().Seen.Evidence().Gateway().Stable() // it is given those of the set
		if err != nil && !moved && !errors.Is(err, openshell.ErrUnsupported) {
			h.unseen = append(h.unseen, fmt.Sprintf("the workspaces of gateway %q are not listed, so one without a sandbox is not carried: %v", h.Name(), err))
		}
		names = append(names, listed...)
	}

	slices.Sort(names)
	h.spaces = slices.Compact(names)
	return h.spaces
}

func (h *Host) listWorkspaces(ctx context.Context) ([]string, error) {
	ctx, cancel := text.Within(ctx, recipeWait)
	defer cancel()
	api, err := h.Gateways.API(ctx, h.Name())
	if err != nil {
		return nil, err
	}
	return api.Workspaces(ctx)
}

// EngineOf is the engine of a container; nil where there is none.
func (h *Host) EngineOf(c engine.Container) Engine {
	if on := h.Seen.Engines.Of(c); on != nil {
		return on
	}
	return nil
}

// Settings are those of the whole gateway that somebody has set.
func (h *Host) Settings(ctx context.Context) []openshell.Setting {
	api, err := h.Gateways.API(ctx, h.Name())
	if err != nil {
		return nil // that it does not answer is said
	}
	settings, err := api.Settings(ctx)
	if err != nil {
		h.on.Warn("the settings of gateway %q are not in the set: %v", h.Name(), err)
	}
	return settings
}
