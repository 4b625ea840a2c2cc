// Package survey answers one question: what is on this host, and may it be trusted? It reads the registry, observes and
// judges the gateways, opens the container engines and takes the inventory, always in that order: no gateway is asked
// for its sandboxes before its preflight let it pass. Every command starts from the one value that comes out of it.
package survey

import (
	"context"

	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// Survey is what a run has seen of the host. It is whole as far as Look came; an error of Look leaves the rest empty.
type Survey struct {
	Registry  sandbox.Registry
	Gateways  Gateways       // judged, in the order of the registry's bindings; none where no gateway was contacted
	Engines   engine.Engines // opened, unless Look ended before
	Inventory sandbox.Inventory
	// Mismatch is the report on a gateway whose listing betrayed a schema mismatch; nil otherwise.
	Mismatch *preflight.Report
}

// Question is what a command wants to know of the host.
type Question struct {
	Action          preflight.Action
	AllowUnverified bool // go on where CLI and gateway cannot be shown to agree
	// Recorded names the gateway of a sandbox by its backups; "" when they do not tell. nil: there are none.
	Recorded func(name, id string) string
	// Judged is called with the gateways before the gate, so that a caller can show or change their reports. nil:
	// nobody wants to.
	Judged func(Gateways)
}

// Report is what the preflight says of the host: that of the mismatch when there was one, else that of the decisive
// gateway; nil where no gateway was contacted.
func (s Survey) Report() *preflight.Report {
	switch {
	case s.Mismatch != nil:
		return s.Mismatch
	case len(s.Gateways) > 0:
		return &s.Gateways.Decisive().Report
	}
	return nil
}

// Look surveys the host through its gateways: registry, preflight, gate, inventory. Its errors are those of Registry
// and Gate, and what sandbox.Take could not list; a listing that betrays a schema mismatch becomes a *RefusedError.
func (h *Host) Look(ctx context.Context, q Question) (Survey, error) {
	registry, err := h.Registry()
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Registry: registry}
	if h.nothingRegistered(ctx, registry) {
		s.Engines, s.Inventory.Empty = h.Engines(ctx), true
		return s, nil
	}
	s.Gateways = h.Judge(ctx, q.Action, h.Bindings(registry))
	return h.inventory(ctx, s, q)
}

// inventory takes it through the judged gateways of s, if they may be trusted.
func (h *Host) inventory(ctx context.Context, s Survey, q Question) (Survey, error) {
	if q.Judged != nil {
		q.Judged(s.Gateways)
	}
	if err := s.Gateways.Gate(q.Action, q.AllowUnverified); err != nil {
		return s, err
	}
	s.Engines = h.Engines(ctx)
	var err error
	if s.Inventory, err = sandbox.Take(ctx, h.sources(s, q.Recorded)); err == nil {
		return s, nil
	}
	if s.Mismatch = h.Explain(ctx, err, s.Gateways, q.Action); s.Mismatch != nil {
		err = &RefusedError{Report: *s.Mismatch, Action: q.Action}
	}
	return s, err
}

// LookOffline surveys the host without any gateway: registry and containers are the inventory.
func (h *Host) LookOffline(ctx context.Context, recorded func(name, id string) string) (Survey, error) {
	registry, err := h.Registry()
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Registry: registry, Engines: h.Engines(ctx)}
	s.Inventory, err = sandbox.Take(ctx, h.containerSources(s, recorded))
	return s, err
}

// LookFor surveys the containers for one sandbox of which a gateway has just told the id: among containers that claim
// its name, the id decides. No gateway is asked.
func (h *Host) LookFor(ctx context.Context, gateway string, told openshell.ListedSandbox) (Survey, error) {
	s := Survey{Engines: h.Engines(ctx)}
	sources := h.containerSources(s, nil)
	sources.Offline, sources.Gateway, sources.Only, sources.Workspace = false, gateway, "", ""
	sources.List = func(context.Context, string) ([]openshell.ListedSandbox, error) {
		return []openshell.ListedSandbox{told}, nil
	}
	var err error
	s.Inventory, err = sandbox.Take(ctx, sources)
	return s, err
}
