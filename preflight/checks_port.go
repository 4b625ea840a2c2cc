package preflight

import (
	"fmt"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

// kindWrongEndpoint is what a script is told of a port that another program holds (docs/design.md 4.2).
const kindWrongEndpoint = "wrong_endpoint"

// checkPort judges who holds the port of the gateway's endpoint on this host.
func checkPort(o gateway.Observation) Result {
	p := o.Port
	switch {
	case p.Afar != "":
		return passed("%s; no process or file of this host is evidence", p.Afar)
	case p.State == drift.Unknown:
		return warned("unknown%s", reason(p.Why))
	case o.Marker.State == gateway.MarkerLive && !p.Own && p.Number != 0:
		return warned("process %d, which the runtime marker names, does not listen on port %d%s", o.Marker.PID, p.Number, heldBy(p))
	case p.State != drift.Known:
		return passed("%s", or(p.Why, "nothing listens there"))
	case len(p.Holders) == 0:
		return passed("process %d, the gateway, listens on port %d", o.Process.PID, p.Number)
	case p.Own:
		return warned("port %d is held by %s: which of them answers depends on the address", p.Number, p.Names())
	}
	return checkHolders(o)
}

func heldBy(p gateway.Port) string {
	if len(p.Holders) == 0 {
		return ", and nothing else on this host does"
	}
	return "; it is held by " + p.Names()
}

// checkHolders judges a port that is held, and not by a gateway's process of this host.
func checkHolders(o gateway.Observation) Result {
	p := o.Port
	held := fmt.Sprintf("port %d is held by %s", p.Number, p.Names())
	if o.Cluster.Gateway && !o.Cluster.Active {
		held += fmt.Sprintf(", of container %q (image %s)", o.Cluster.Container, o.Cluster.Image)
	}
	switch {
	case o.Cluster.Active && slices.ContainsFunc(p.Holders, ofContainer):
		return passed("%s, of container %q, which is the gateway", held, o.Cluster.Container)
	case o.Served.Answered:
		return warned("%s, and a gateway answers through it", held)
	case slices.ContainsFunc(p.Holders, mayBeTheWay) || !noGatewayAnswers(o):
		return warned("%s", held)
	}

	return Result{
		Status: Fail, Kind: kindWrongEndpoint,
		Detail: fmt.Sprintf("%s, which is no OpenShell gateway; stop it, or give gateway %q another port", held, o.Target.Name),
	}
}

// ofContainer: it is in a container, or passes on to one.
func ofContainer(h gateway.Holder) bool { return h.Foreign != "" || h.Way == gateway.WayEngine }

// mayBeTheWay: what cannot be looked into, calls itself a gateway, or passes on what comes in may be the way to one.
func mayBeTheWay(h gateway.Holder) bool {
	return h.PID == 0 || h.Program == "" || h.Gateway() || h.Way != gateway.WayItself
}

// noGatewayAnswers: the CLI asked, and got no gateway's answer. Without a CLI nobody asked.
func noGatewayAnswers(o gateway.Observation) bool {
	return !o.Served.Answered && o.CLI.Path != "" && undecoded(o) == ""
}
