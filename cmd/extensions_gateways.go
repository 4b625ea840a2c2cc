package cmd

import (
	"context"
	"fmt"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// begin opens the chain for a command that creates or deletes sandboxes, and reconciles first, over every state that is
// kept: what an earlier run left is finished, and what differs is told. It decides over nothing. nil when there are no
// extensions.
func (e *extensions) begin(ctx context.Context, gateways *driver.Gateways, seen survey.Gateways) (*extensionChain, error) {
	c, err := e.open()
	if err != nil || c == nil {
		return nil, err
	}
	reports, err := c.reconcile(ctx, e, gateways, seen)
	for _, r := range reports {
		e.sayReconciled(r)
	}
	return c, err
}

// reconcile finishes what an earlier run left of the extensions' work and asks each whether its sandboxes are as it
// left them: those of the gateways in seen, and those of any other that something is kept for. A gateway that cannot be
// asked is named; its sandboxes are then of unknown presence, never missing.
func (c *extensionChain) reconcile(ctx context.Context, e *extensions, gateways *driver.Gateways, seen survey.Gateways) ([]lifecycle.ReconcileReport, error) {
	others, err := c.others(ctx, e, seen)
	if err != nil {
		return nil, err
	}
	more := &driver.Gateways{Open: e.host.Connect(others)}
	drivers := map[string]lifecycle.Driver{}
	e.addDrivers(ctx, drivers, gateways, seen)
	e.addDrivers(ctx, drivers, more, others)
	reports, err := c.Reconcile(ctx, drivers)
	return reports, joined(err, more.Close())
}

func (e *extensions) addDrivers(ctx context.Context, drivers map[string]lifecycle.Driver, gateways *driver.Gateways, seen survey.Gateways) {
	for _, g := range seen {
		name := g.Seen.Target.Name
		driver, err := gateways.Lister(ctx, name)
		if err != nil {
			e.term.warn("extensions cannot ask gateway %q: %v", name, err)
			continue
		}
		drivers[name] = driver
	}
}

// others are the gateways that something is kept for and that seen does not show. Only those are asked whose preflight
// passes: what another one lists proves nothing. With -g there are none.
func (c *extensionChain) others(ctx context.Context, e *extensions, seen survey.Gateways) (passed survey.Gateways, err error) {
	tracked, err := c.store.Tracked()
	if err != nil || e.host.Gateway != "" {
		return nil, err
	}
	var bindings []sandbox.Binding
	for _, t := range tracked {
		binding := sandbox.Binding{Gateway: t.Gateway}
		shown := slices.ContainsFunc(seen, func(g survey.Gateway) bool { return g.Seen.Target.Name == t.Gateway })
		if t.Gateway != "" && !shown && !slices.Contains(bindings, binding) {
			bindings = append(bindings, binding)
		}
	}

	if len(bindings) == 0 {
		return nil, nil
	}
	for _, g := range e.host.Judge(ctx, preflight.Checking(), bindings) {
		if g.Report.Verdict == drift.Pass {
			passed = append(passed, g)
			continue
		}
		e.term.warn("extensions do not ask gateway %q: its preflight does not pass; see `sandkeeper preflight -g %[1]s`", g.Binding.Gateway)
	}

	return passed, nil
}

// sayReconciled tells on standard error what a reconcile found.
func (e *extensions) sayReconciled(r lifecycle.ReconcileReport) {
	about := fmt.Sprintf("sandbox %q", r.Sandbox.Name)
	if r.Extension != "" {
		about += fmt.Sprintf(", extension %q", r.Extension)
	}
	if r.Err != nil {
		e.term.warn("%s: %v", about, r.Err)
	}
	for _, drift := range r.Drift {
		e.term.warn("%s: %s", about, drift)
	}
	if r.Action != "" {
		e.term.cleared.note(true, false)
	}
	if r.Action != "" && r.Err == nil {
		e.term.note("%s: %s", about, r.Action)
	}
}
