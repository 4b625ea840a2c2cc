package preflight

import (
	"fmt"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/text"
)

// breakGuide is OpenShell's own guide for the way over 0.1.0.
const breakGuide = "docs.nvidia.com/openshell/upgrade/0-1-0.md"

// guidance is what recovery steps are made from.
type guidance struct {
	o      gateway.Observation
	issue  Issue
	action Action
}

// recovery lists what to do on this host, in order: save, repair, what not to lose, rerun. Commands are only such as
// exist here and act on the gateway that is meant.
func recovery(o gateway.Observation, found Issue, a Action) []string {
	g := guidance{o, found, a}
	steps := slices.Concat(g.save(), g.repair(), []string{g.caution(), g.rerun()})
	for n, step := range steps {
		steps[n] = text.OneLine(step, 0)
	}
	return steps
}

// save comes first where sandboxes can be read without the gateway.
func (g guidance) save() []string {
	if len(g.o.Containers) == 0 {
		return nil
	}
	return []string{"Save the sandboxes without the gateway: `sandkeeper backup-all --offline`."}
}

func (g guidance) repair() []string {
	kind := g.issue.drifted()
	switch {
	case kind != "" && g.issue.Installed.AcrossBreak(g.issue.Running):
		return g.acrossBreak()
	case g.o.Target.Remote || g.o.Port.Afar != "":
		return []string{fmt.Sprintf("On the gateway's own host, %s.", g.align())}
	case kind == "" && drift.Assess(g.o.Evidence()).Verdict == drift.Pass:
		return []string{"Look in the gateway's log for a sandbox that was stored by another version."}
	case kind == drift.ImageDrift && g.o.Cluster.Gateway:
		return g.recreate()
	case g.managed() && g.cliBehind():
		return []string{fmt.Sprintf("%s, then run `%s`.", g.upgradeCLI(), g.onboard())}
	case g.managed():
		return slices.Concat(g.downtime(), []string{fmt.Sprintf("Run `%s` to repair or recreate the gateway with the installed OpenShell version%s.", g.onboard(), g.alternative())})
	case kind == "":
		return []string{fmt.Sprintf("Bring the openshell CLI and the gateway to the same version: compare `%s --version` with what `%s` says.", g.openshell(), g.status())}
	case kind == drift.ImageDrift:
		return []string{fmt.Sprintf("Bring both to one version: %s.%s", g.align(), g.clusterBreak())}
	case kind == drift.ServedDrift && g.o.Cluster.Active:
		return []string{fmt.Sprintf("Bring both to one version: %s.", g.align())}
	case kind == drift.ServedDrift && processIs(g.o, g.issue.Installed):
		return slices.Concat(g.downtime(), []string{fmt.Sprintf("Find out which gateway answers at %s, and stop it or register the right one.", or(g.issue.Endpoint, "the endpoint"))})
	}
	return g.host()
}

// clusterBreak: with 0.0.37 the gateway became a host process, and nothing of a cluster is taken over
// (docs/facts/openshell.md 8).
func (g guidance) clusterBreak() string {
	const first = 37
	if !g.issue.Running.Known() || g.issue.Running.Since(first) || !g.issue.Installed.Since(first) {
		return ""
	}
	return " OpenShell before 0.0.37 is not upgraded in place: its sandboxes are saved first and recreated after."
}

// acrossBreak: no restart helps between 0.0.x and 0.1.x, and a gateway is never taken back over it.
func (g guidance) acrossBreak() []string {
	stay := fmt.Sprintf("An upgrade in place between OpenShell 0.0.x and 0.1.x is not possible. To go on with these sandboxes, bring the openshell CLI to %s, the gateway's version.", g.issue.Running)
	if g.cliBehind() {
		return []string{stay}
	}
	return []string{stay, fmt.Sprintf("To move to %s instead, run `sandkeeper migrate plan`: it prints the steps in order. OpenShell's own guide, %s, removes every sandbox before and recreates it after.", g.issue.Installed, breakGuide)}
}

// caution is what must not be lost while repairing.
func (g guidance) caution() string {
	const preserve = "If the gateway has to be recreated, preserve sandbox state first; "
	switch g.issue.drifted() {
	case drift.ImageDrift:
		return preserve + fmt.Sprintf("do not remove `%s` Docker volumes unless you have a backup and explicitly accept state loss.", or(g.issue.Container, "openshell-cluster"))
	case drift.HostProcessDrift:
		return preserve + fmt.Sprintf("do not delete sandbox volumes or backups until `%s` reports a healthy gateway on the installed OpenShell version.", g.status())
	}
	return preserve + fmt.Sprintf("do not delete sandbox state, backups, or gateway data until `%s` reports a healthy gateway.", g.status())
}

func (g guidance) rerun() string {
	command := g.action.Command
	if g.o.Target.Source == "-g" && g.o.Target.Name != "" {
		command += " -g " + text.ShellWord(g.o.Target.Name)
	}
	return fmt.Sprintf("Rerun `%s` after `%s` reports a healthy gateway.", command, g.status())
}

// status names the gateway unless the CLI takes it by itself.
func (g guidance) status() string {
	name, status := g.o.Target.Name, g.openshell()+" status"
	plain := name == "" || !g.o.Host.OtherActive && slices.Contains([]string{"nemoclaw", "openshell"}, name)
	if g.o.Target.Source != "-g" && plain {
		return status
	}
	return status + " -g " + text.ShellWord(name)
}

// openshell is how the CLI that was looked at is called on this host.
func (g guidance) openshell() string { return text.ShellWord(or(g.o.Host.CallOpenShell, "openshell")) }
