package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sandkeeper/gateway"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

type upgradeOptions struct {
	app   *app
	check bool
	only  []string
}

const upgradeLong = `Run the schema preflight, then say which sandboxes are behind. With --check nothing is changed: no file, lock, registry key,
gateway selection or container state; exit 4 when a sandbox is stale, unknown or orphaned.`

func newUpgradeSandboxes(a *app, run func(context.Context, *upgradeOptions) (*answer, error)) *cobra.Command {
	o := &upgradeOptions{app: a}
	if run == nil {
		run = runUpgrade
	}
	c := &cobra.Command{
		Use: "upgrade-sandboxes", Short: "Say which sandboxes are behind, and rebuild them", Long: upgradeLong, Args: cobra.NoArgs,
		Example:     "  sandkeeper upgrade-sandboxes --check --json",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitFound, ExitUnreachable, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.BoolVar(&o.check, "check", false, "look only: exit 4 when there is something to do")
	f.StringSliceVar(&o.only, "only", nil, "only these sandboxes")
	return c
}

func runUpgrade(ctx context.Context, o *upgradeOptions) (*answer, error) {
	return o.runCheck(ctx)
}

// runCheck classifies and reports. It is read-only in the strict sense.
func (o *upgradeOptions) runCheck(ctx context.Context) (*answer, error) {
	found := &answer{}
	summary, err := o.classify(ctx, found)
	if err != nil {
		return found, err
	}
	found.result = summary
	found.text = func(a *app) { renderCheck(a, summary) }
	if !summary.NeedsAttention() {
		return found, nil
	}
	t := summary.Totals
	return found, &Failure{
		Code: ExitFound, Kind: "partial", Said: true,
		Err:  fmt.Errorf("%d stale, %d unknown, %d orphaned", t.Stale, t.Unknown, t.Orphaned),
		Hint: "sandkeeper backup-all saves every sandbox first; then sandkeeper upgrade-sandboxes rebuilds the stale ones",
	}
}

// classify takes the inventory after the preflight and compares every sandbox with what it should be.
func (o *upgradeOptions) classify(ctx context.Context, found *answer) (upgrade.CheckSummary, error) {
	a := o.app
	registry, err := a.readRegistry()
	if err != nil {
		return upgrade.CheckSummary{}, err
	}
	if empty, err := a.nothingRegistered(ctx, registry); empty || err != nil {
		return upgrade.CheckSummary{Sandboxes: []upgrade.Checked{}}, err
	}
	action := preflight.Checking()
	views := a.vet(ctx, action, a.bindings(registry))
	found.preflight = &worst(views).report
	if err := a.gate(views, action, true); err != nil {
		return upgrade.CheckSummary{}, err
	}
	engine, state := a.dial(ctx, a.bindings(registry))
	inventory, err := sandbox.Take(ctx, a.sources(registry, views, engine, state))
	if err != nil {
		report, err := a.reactive(err, views, action)
		if report != nil {
			found.preflight = report
		}
		return upgrade.CheckSummary{}, err
	}
	if inventory.Sandboxes, err = onlyThese(inventory.Sandboxes, o.only); err != nil {
		return upgrade.CheckSummary{}, err
	}
	return upgrade.Classify(ctx, a.classifyInput(ctx, inventory, views, engine))
}

func (a *app) classifyInput(ctx context.Context, inventory sandbox.Inventory, views []view, engine *gateway.Engine) upgrade.ClassifyInput {
	nemoclaw := ""
	in := upgrade.ClassifyInput{Inventory: inventory, Gateways: map[string]string{}, Timeout: a.commandTimeout()}
	for _, v := range views {
		nemoclaw = v.seen.Host.NemoClaw
		in.Gateways[v.seen.Target.Name] = servingVersion(v.seen)
	}
	in.Agents = upgrade.ReadAgents(a.Env, upgrade.AgentRoots(a.Env, nemoclaw), a.config.expectedAgents())
	if nemoclaw != "" {
		version, err := upgrade.NemoClawVersion(ctx, a.Env, a.UID, nemoclaw)
		if err != nil {
			a.warn("version of %s: %v", nemoclaw, err)
		}
		in.NemoClaw = version
	}
	probes := probes{app: a, cli: a.openshellCLI(views), engine: engine}
	in.Probe, in.Supervisor = probes.agent, probes.supervisor
	if engine != nil {
		in.ImageID, in.Inspect = engine.ImageID, engine.Inspect
	}
	return in
}

// servingVersion is the version of what answers now: as it says itself, else as its process or its image says.
func servingVersion(o gateway.Observation) string {
	switch {
	case o.Served.Version != "":
		return o.Served.Version
	case o.Cluster.Active:
		return o.Cluster.Version
	}
	return o.Process.Version
}

func onlyThese(all []sandbox.Sandbox, names []string) ([]sandbox.Sandbox, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []sandbox.Sandbox
	for _, name := range names {
		before := len(chosen)
		for _, sb := range all {
			if sb.Name == name {
				chosen = append(chosen, sb)
			}
		}
		if len(chosen) == before {
			return nil, notFound("there is no sandbox %q", name)
		}
	}
	return chosen, nil
}
