package preflight

import (
	"fmt"

	"sandkeeper/gateway"
)

// StartCommand is the one command that starts the gateway of o on this host, by what manages it here; "" when none is known, or the
// gateway is another user's or not of this host.
func StartCommand(o gateway.Observation) string {
	if o.Target.Remote || o.Port.Afar != "" || o.Stranger != "" {
		return ""
	}
	if g := (guidance{o: o}); g.managed() {
		return g.onboard()
	}
	return o.Host.Start
}

// stopped reports whether nothing of this host serves, as far as can be seen.
func stopped(o gateway.Observation) bool {
	return o.Process.PID == 0 && len(o.Port.Holders) == 0 && !o.Cluster.Active && !o.Served.Answered
}

// WayForward says of a gateway that does not answer what to do on this host; "" when something serves and its own error says more.
func WayForward(o gateway.Observation) string {
	command := StartCommand(o)
	switch {
	case o.Port.Afar != "":
		return fmt.Sprintf("%s; bring it, or the way to it, up again there", o.Port.Afar)
	case !stopped(o):
		return ""
	case command != "":
		return fmt.Sprintf("start it with `%s`", command)
	}
	return fmt.Sprintf("nothing of gateway %q runs on this host, and no command that starts it is known here: start it the way it was started before", o.Target.Name)
}
