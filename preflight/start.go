package preflight

import "sandkeeper/gateway"

// StartCommand is the one command that starts the gateway of o on this host, by what manages it here; "" when none is known or the
// gateway is another host's.
func StartCommand(o gateway.Observation) string {
	g := guidance{o: o}
	switch {
	case o.Target.Remote || o.Stranger != "":
		return ""
	case g.managed():
		return g.onboard()
	case o.Host.SystemdUser:
		return "systemctl --user start openshell-gateway"
	case o.Host.Brew != "":
		return "brew services start openshell"
	case o.Host.Snap:
		return "sudo snap start openshell.gateway"
	}
	return ""
}
