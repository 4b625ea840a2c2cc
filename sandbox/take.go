package sandbox

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/openshell"
)

// ErrNoInventory means that nothing which could name the sandboxes of this host answered.
var ErrNoInventory = errors.New("the sandboxes of this host cannot be known")

// ErrNoEngine is what Sources.Containers wraps when there is no container engine on this host. Any other error means
// that one is there and did not answer: then no container may be taken as absent.
var ErrNoEngine = errors.New("no container engine")

// ErrNotAsked is what Sources.Containers wraps when an engine could not be asked: this user may not open its socket, or
// there is none where it was named. No container may be taken as absent, and the inventory is as whole as it can be.
var ErrNotAsked = errors.New("the container engine cannot be asked")

// Sources is what an inventory is made of.
type Sources struct {
	Registry Registry
	Gateway  string // the gateway that is meant, as the CLI knows it; "" when none is
	// Only limits the inventory to one gateway, Workspace to one workspace; "" is no limit.
	Only, Workspace string
	// Origin names the gateway that made a container which no list claims, "" where it is not known; nil knows none.
	// The companion is nil where the container has none.
	Origin func(ctx context.Context, c engine.Container, companion *engine.Container) string
	// List lists one gateway's sandboxes, all of them, or fails. It is called at the same time for several gateways.
	List func(ctx context.Context, gateway string) ([]openshell.ListedSandbox, error)
	// Containers lists the engine's labelled containers in all states; nil, or an error wrapping ErrNoEngine, means no
	// engine.
	Containers func(ctx context.Context) ([]engine.Container, error)
	Offline    bool // contact no gateway: containers are the only truth
	// Env is whose state folder may hold what a gateway of this host notes of its sandboxes; the zero value looks
	// nowhere.
	Env env.Env
}

// Key names one sandbox: the same name on two gateways, or in two workspaces of one, is two sandboxes. Gateway is ""
// where nothing names one.
type Key struct{ Gateway, Workspace, Name string }

// Key is the identity of s within an inventory, unless several containers share a name and nothing tells their gateways
// apart.
func (s Sandbox) Key() Key { return Key{s.Gateway, s.Workspace, s.Name} }

// Address is how people write s: its name, with "workspace/" before it where that is not the default one.
func (s Sandbox) Address() string { return Address(s.Workspace, s.Name) }

// Take merges the sources into one inventory. Each gateway that has a row, and Sources.Gateway, is listed once, and the
// engine is asked once; a second time only to confirm that what nobody has seen is really gone. Errors: a listing of a
// needed gateway that failed or could not be decoded (wraps openshell's *ListingError or *MismatchError),
// *UnspecifiedError, or nothing to ask.
func Take(ctx context.Context, s Sources) (Inventory, error) {
	var seen look
	if s.Registry.Present && !s.Registry.Recorded() {
		seen.askEngine(ctx, s)
		if len(seen.containers) == 0 && seen.engineSettled() && (!s.Offline || seen.engineErr == nil) {
			return Inventory{Empty: true, Source: source(s, seen)}, nil
		}
	}

	if err := seen.ask(ctx, s, s.gateways()); err != nil {
		return Inventory{}, err
	}
	if err := s.answerable(seen); err != nil {
		return Inventory{}, err
	}
	seen.findOrigins(ctx, s)
	entries := classify(s, seen)
	gone, err := confirm(ctx, s, seen, entries)
	if err != nil {
		return Inventory{}, err
	}
	inv := Inventory{Source: source(s, seen), Partial: seen.unseen(), Warnings: append([]string(nil), s.Registry.Problems...)}
	inv.Warnings = append(inv.Warnings, seen.warnings()...)
	inv.Warnings = append(inv.Warnings, entries.warnings...)
	inv.Warnings = append(inv.Warnings, gone...)
	inv.Sandboxes = entries.sandboxes()
	return inv, nil
}

// answerable refuses to call a host empty when nothing on it could be asked.
func (s Sources) answerable(seen look) error {
	if s.Offline && seen.engineErr != nil {
		return fmt.Errorf("%w: without a gateway the containers are the only inventory, and they could not be listed: %w", ErrNoInventory, seen.engineErr)
	}
	if len(seen.lists) == 0 && len(s.Registry.Rows) == 0 && seen.engineErr != nil {
		return fmt.Errorf("%w: there is no registry, no gateway and no engine with containers: %w", ErrNoInventory, seen.engineErr)
	}
	return nil
}

// confirm takes the second look at the sandboxes that the first one missed everywhere, and settles them: gone again is
// Orphaned, seen again is whatever it is now.
func confirm(ctx context.Context, s Sources, first look, entries *merge) (warnings []string, err error) {
	missing := entries.missing()
	if len(missing) == 0 {
		return nil, nil
	}
	var gateways []string
	for _, m := range missing {
		gateways = append(gateways, m.Gateway)
	}
	second := look{lists: first.lists.copy()}
	if err := second.ask(ctx, s, sorted(gateways)); err != nil {
		return nil, fmt.Errorf("confirming that %d sandboxes are gone: %w", len(missing), err)
	}
	second.findOrigins(ctx, s)
	again := classify(s, second).byRow()
	for _, m := range missing {
		now := again[m.Row]
		switch {
		case now.gone:
			m.Standing, m.Reason = Orphaned, fmt.Sprintf("gateway %q does not list it and no container carries its name, looked at twice", m.Gateway)
		case now.Listed || len(now.claims) > 0:
			m.Sandbox = now.Sandbox
			m.Reason = join("seen again at the second look", now.Reason)
		default:
			m.Sandbox = now.Sandbox
		}
	}

	return second.warnings(), nil
}

func source(s Sources, seen look) string {
	if s.Offline {
		return "containers"
	}
	text := ""
	if s.Registry.Present {
		text = "registry+"
	}
	if len(seen.lists) > 0 {
		text += "gateway+"
	}
	if seen.engineErr == nil {
		text += "containers+"
	}
	return text[:max(0, len(text)-1)]
}
