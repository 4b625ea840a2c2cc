package survey

import (
	"context"
	"sync"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/command"
	"sandkeeper/internal/tracing"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// Gateway is one gateway as a run sees it, with the preflight's judgement.
type Gateway struct {
	Binding sandbox.Binding
	Seen    gateway.Observation
	Report  preflight.Report
}

// Gateways are the judged gateways of a run.
type Gateways []Gateway

// Judge observes and judges the gateways of bindings, all at once, in their order.
func (h *Host) Judge(ctx context.Context, action preflight.Action, bindings []sandbox.Binding) Gateways {
	ctx, span := tracing.Start(ctx, "preflight")
	defer span.End()

	judged := make(Gateways, len(bindings))
	var wg sync.WaitGroup
	for i, binding := range bindings {
		wg.Go(func() {
			seen := gateway.Observe(ctx, h.Options(binding))
			if h.Remembered != nil {
				h.Remembered(&seen)
			}
			judged[i] = Gateway{binding, seen, preflight.Judge(seen, action)}
		})
	}

	wg.Wait()

	for _, g := range judged {
		for _, probe := range g.Seen.Probes {
			h.Note("gateway %q: %s is %s: %s (%d ms)", g.Seen.Target.Name, probe.Code, probe.State, probe.Detail, probe.Took.Milliseconds())
		}
	}

	return judged
}

// Decisive is the gateway that decides about a run: a refused one, else an unverified one, else the first. There must
// be one.
func (gs Gateways) Decisive() *Gateway {
	for _, verdict := range []drift.Verdict{drift.Refuse, drift.Unverified} {
		for i := range gs {
			if gs[i].Report.Verdict == verdict {
				return &gs[i]
			}
		}
	}
	return &gs[0]
}

// Named is the gateway of that name, else the first. There must be one.
func (gs Gateways) Named(name string) Gateway {
	for _, g := range gs {
		if g.Seen.Target.Name == name {
			return g
		}
	}
	return gs[0]
}

// NeverHeardOf reports a gateway that was asked for by a name that nothing on this host has: no registration, no state,
// nothing that runs. Without a command line, that is what is wrong: there is nobody to ask whether the name was
// mistyped.
func (g Gateway) NeverHeardOf() bool {
	seen := g.Seen
	return seen.Target.Source == "-g" && seen.Target.Unknown && seen.CLI.Path == "" && !seen.Host.Managed &&
		seen.Process.PID == 0 && !seen.Cluster.Active
}

// CLI is the openshell command line that the observation resolved; nil where there is none.
func (h *Host) CLI(gs Gateways) *openshell.CLI {
	for _, g := range gs {
		if g.Seen.CLI.Path != "" {
			return &openshell.CLI{
				Path: g.Seen.CLI.Path, Known: g.Seen.CLI.Version, Env: h.Env, UID: h.UID, Timeout: h.ProbeTimeout, Run: command.Run,
			}
		}
	}
	return nil
}

// Connect opens the API of a gateway with the CLI's own configuration, knowing which version the preflight saw.
func (h *Host) Connect(gs Gateways) func(context.Context, string) (*openshell.API, error) {
	return func(ctx context.Context, gateway string) (*openshell.API, error) {
		served := ""
		for _, g := range gs {
			if g.Seen.Target.Name == gateway {
				served = g.Seen.Served.Version.String()
			}
		}
		return openshell.Connect(ctx, h.Env, gateway, served)
	}
}
