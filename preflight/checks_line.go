package preflight

import (
	"context"
	"fmt"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
)

// line finds an upgrade over OpenShell 0.1.0, which is not one in place (docs/facts/openshell.md 8): between the CLI,
// the gateway that runs, and the file that would be started next.
func (in HostInput) line(context.Context) Result {
	o := in.Seen
	running := o.Evidence().Gateway()
	type side struct {
		what    string
		version drift.Version
	}
	sides := []side{{"the openshell CLI", o.CLI.Version}}
	if o.File.State == drift.Known {
		sides = append(sides, side{"the gateway's file " + o.File.Path, o.File.Version})
	}
	for _, s := range sides {
		if running.AcrossBreak(s.version) {
			return warning(in.saveFirst(), fmt.Sprintf("the gateway runs %s and %s is %s: they are on different sides of OpenShell 0.1.0. %s",
				running, s.what, s.version, orderOfSteps))
		}
	}

	if len(sides) > 1 && sides[0].version.AcrossBreak(sides[1].version) {
		return warning(in.saveFirst(), fmt.Sprintf("the openshell CLI is %s and %s is %s: they are on different sides of OpenShell 0.1.0. %s",
			sides[0].version, sides[1].what, sides[1].version, orderOfSteps))
	}
	for _, s := range append(sides, side{"the gateway", running}) {
		if left := leftBehind(o); s.version.Stable() && len(left) > 0 {
			return warning(in.saveFirst(), fmt.Sprintf("containers of OpenShell 0.0.x are on this host (%s) and %s is %s: a gateway of 0.1.x does not see them, and they are the only copy of their homes. Save them before anything else; do not remove them",
				some(left), s.what, s.version))
		}
	}

	if !running.Known() {
		return passed("no gateway runs whose version would be left behind")
	}
	if running.Stable() {
		return passed("the gateway runs %s, and nothing on this host is older than 0.1.0", running)
	}
	return passed("the gateway runs %s, and nothing on this host is 0.1.0 or newer", running)
}

// leftBehind are the sandboxes whose containers OpenShell 0.0.x made: those of 0.1.x carry a role
// (docs/facts/openshell-0.1.md 1.1).
func leftBehind(o gateway.Observation) []string {
	var names []string
	for _, c := range o.Containers {
		if c.Role == "" && c.SandboxID != "" {
			names = append(names, or(c.SandboxName, c.Name))
		}
	}
	return names
}

// orderOfSteps leads to what says them all (docs/facts/openshell-0.1.md 5).
const orderOfSteps = "There is no upgrade in place: with the old version still running, `sandkeeper migrate plan` says the steps in order, and " +
	"`sandkeeper migrate export` saves everything before it stops the sandboxes"

// oldestAPI is the first Docker API with everything that is asked of an engine here; engineClient is the newest that
// this program speaks.
const (
	oldestAPI    = 24
	engineClient = 51
)

func (in HostInput) engineAPI(context.Context) Result {
	e := in.Seen.Engine
	var major, minor int
	_, err := fmt.Sscanf(e.APIVersion, "%d.%d", &major, &minor)
	switch {
	case e.State == drift.Absent:
		return skipping("no container engine on this host")
	case e.State != drift.Known && (strings.Contains(e.Why, "is too old") || strings.Contains(e.Why, "is too new")):
		return failing(engine.Program("", e.Host)+" version", fmt.Sprintf("%s refuses this program's API 1.%d: %s", e.Host, engineClient, e.Why))
	case e.State != drift.Known:
		return skipping("the container engine does not answer")
	case err != nil:
		return warned("%s did not say which API it speaks", e.Host)
	case major == 1 && minor < oldestAPI:
		return failing(engine.Program("", e.Host)+" version", fmt.Sprintf("%s speaks API %s; 1.%d is needed to read and pause containers", e.Host, e.APIVersion, oldestAPI))
	case major > 1 || minor > engineClient:
		return passed("%s speaks API %s; this program asks in 1.%d, which such engines still accept", e.Host, e.APIVersion, engineClient)
	}

	return passed("%s speaks API %s", e.Host, e.APIVersion)
}
