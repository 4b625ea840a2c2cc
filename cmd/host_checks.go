package cmd

import (
	"context"
	"slices"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
)

// hostFacts are what the host's checks are made of.
type hostFacts struct {
	seen     gateway.Observation
	registry sandbox.Registry
	root     string
	rootErr  error
	store    *store.Store // nil when rootErr
	engines  engine.Engines
}

// hostChecks find out whether a host is fit for a run.
type hostChecks struct {
	term   *terminal
	host   *survey.Host
	stores *stores
}

// factsOf gathers them for one gateway. A store that cannot be named is a finding, not an error.
func (c *hostChecks) factsOf(ctx context.Context, g *survey.Gateway, registry sandbox.Registry, o storeOptions) hostFacts {
	f := hostFacts{seen: g.Seen, registry: registry}
	if f.root, f.rootErr = c.stores.root(o.dir); f.rootErr == nil {
		f.store, f.rootErr = c.stores.open(o)
	}
	f.engines = c.host.Engines(ctx)
	return f
}

// input is the input of the host's checks. Nothing in it changes anything.
func (c *hostChecks) input(f hostFacts) preflight.HostInput {
	in := preflight.HostInput{
		Seen: f.seen, Names: sandbox.Names(f.registry, f.seen.Containers), Root: f.root, RootErr: f.rootErr, UID: c.term.UID,
		Database: func(ctx context.Context) gateway.Database {
			return gateway.ReadDatabase(ctx, c.host.Options(sandbox.Binding{}), f.seen.Target)
		},
		Config: func(ctx context.Context) gateway.Config {
			return gateway.ReadConfig(ctx, c.host.Options(sandbox.Binding{}), f.seen.Target, f.seen.File)
		},
	}
	in.Unfinished = func() ([]preflight.Unfinished, error) { return upgrade.HeldUp(stateDir(c.term.Env)) }
	if len(f.engines.All()) > 0 {
		ask := probesOf(c.host, f.engines)
		in.Supervisor = func(ctx context.Context, on engine.Container) (drift.Version, error) {
			return ask.Supervisor(ctx, sandbox.Sandbox{Name: on.SandboxName, Container: &on, Companion: sandbox.CompanionOf(on, f.seen.Containers)})
		}
	}

	if f.store != nil {
		in.Free = f.store.Free
		in.Need = func(ctx context.Context) preflight.Need { return f.need(ctx, in.Names) }
		in.Holder = func() (string, bool) { return holder(f.store) }
	}

	return in
}

func holder(store *store.Store) (string, bool) {
	if held := store.Holder(); held != nil {
		return held.Error(), true
	}
	return "", false
}

// need is what the next backups of these sandboxes are expected to take.
func (f hostFacts) need(ctx context.Context, names []string) preflight.Need {
	return preflight.Need(backup.Room{Store: f.store, Containers: f.seen.Containers, EngineOf: f.engines.Of}.Need(ctx, names))
}

// add runs the checks and adds them to the report, with what is skipped demoted.
func (c *hostChecks) add(ctx context.Context, r *preflight.Report, in preflight.HostInput, skip skipOptions) []preflight.Result {
	found := preflight.Demote(preflight.RunChecks(ctx, preflight.HostChecks(in), nil), skip.codes)
	r.Checks = append(preflight.Demote(r.Checks, skip.codes), found...)
	r.SkippedChecks = skip.codes
	return found
}

// chosen are the names that --only and --exclude leave: room is needed for those alone.
func (o *backupAllOptions) chosen(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return len(o.only) > 0 && !slices.Contains(o.only, name) || slices.Contains(o.exclude, name)
	})
}

// checkHost runs the host's checks before anything is paused.
func (o *backupAllOptions) checkHost(ctx context.Context, store *store.Store, seen survey.Survey, found *answer) error {
	f := hostRun{
		facts: hostFacts{registry: seen.Registry, root: store.Root(), store: store, engines: seen.Engines}, chosen: o.chosen, report: &preflight.Report{}, skip: o.skip,
		noGateway: len(seen.Gateways) == 0, harmless: o.dryRun,
		undone: "paused or written",
	}
	if len(seen.Gateways) > 0 {
		f.facts.seen, f.report = seen.Gateways.Decisive().Seen, found.preflight
	} else {
		_, f.facts.seen.Engine = f.facts.engines.Main()
		f.facts.seen.Containers, _ = f.facts.engines.Sandboxes(ctx) // the inventory has said what cannot be listed
	}
	return o.app.checks.check(ctx, f)
}

// causeOf names in err the check of the gateway that failed, as the likely cause: a gateway that cannot start on its
// database, or whose port another program holds, gives errors that do not say so.
func (o *backupAllOptions) causeOf(ctx context.Context, err error, gateways survey.Gateways) error {
	if err == nil || len(gateways) == 0 || failureOf(err).Said {
		return err
	}
	var checks []preflight.Result
	for _, g := range gateways {
		in := o.app.checks.input(hostFacts{seen: g.Seen})
		all := append(preflight.Checks(g.Seen), preflight.HostChecks(in)...)
		checks = append(checks, preflight.RunChecks(ctx, slices.DeleteFunc(all, func(c preflight.Check) bool {
			return c.Code != preflight.CodeDatabase && c.Code != gateway.ProbePort
		}), nil)...)
	}
	return likelyCause(err, checks)
}
