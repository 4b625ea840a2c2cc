package diagnose

import "slices"

// note names what some words say beyond their class.
type note int

const (
	plain note = iota // nothing
	lost
	outage
	restarted
	workspace
	strange
	vanished
	supervisorGone
	configuration
	noAuthentication
	partialTLS
	engineTrouble
)

// added puts what n says before what the class says, and the command that helps first before the class's own.
func (n note) added(d Diagnosis) Diagnosis {
	words, first := n.text()
	if words != "" {
		d.Explanation = words + " " + d.Explanation
	}
	if first != "" {
		d.Actions = append([]string{first}, slices.DeleteFunc(d.Actions, func(a string) bool { return a == first })...)
	}
	return d
}

// keepData is what an operator must know before the only command that OpenShell offers (docs/facts/openshell-0.1.md 6).
const keepData = "The agent's data is still in the stopped container: save it from there with `sandkeeper backup-all`, or without the gateway with " +
	"`sandkeeper backup-all --offline`. Never run `openshell sandbox delete` before that: it discards the data."

// comeBack is what brings such a sandbox back once it is saved.
const comeBack = " After that, `openshell sandbox delete NAME` and `sandkeeper restore NAME --recreate` bring the sandbox back with its data."

// text is the explanation (docs/facts/openshell-0.1.md 1.2, 2.2, 4.2, 6) and the first action; "" for none.
func (n note) text() (words, first string) {
	switch n {
	case lost:
		return "The sandbox's own process or its supervisor ended, and OpenShell may refuse to start the sandbox again. " + keepData + comeBack, saveAll
	case restarted:
		return "The container engine or the host was restarted under the sandbox. Its gateway starts it again at the gateway's own next start. " + keepData, saveAll
	case workspace:
		return "The sandbox's home, which is the image's WORKDIR, is missing or its user may not write there. " + keepData, saveAll
	case strange:
		return "A container that carries the sandbox's labels is not the one that the gateway made: it has a network, or other labels. The gateway stops such a container. " + keepData + comeBack, saveAll
	case vanished:
		return "The gateway has a record of the sandbox and did not find its container. A container that this gateway cannot see, of an older OpenShell for instance, may hold the only copy of the data: save it first.", saveOffline
	case outage:
		return "The gateway was away for longer than its limit, so the supervisor stopped the sandbox. Once the gateway is back, `openshell sandbox start NAME` starts it again.", ""
	case supervisorGone:
		return "The gateway cannot start the sandbox's supervisor. Most often its image was removed from this host: pull the image of the same tag again, and restart the gateway, which looks the image up when it starts.", ""
	}
	return n.ofGateway()
}

func (n note) ofGateway() (words, first string) {
	switch n {
	case configuration:
		return "The gateway refuses its configuration: gateway.toml, or an option in its command line or unit. From OpenShell 0.1 on the file needs version = 2, and `openshell-gateway config preflight` checks it without starting anything.", ""
	case noAuthentication:
		return "The gateway has no way to authenticate its users. Since OpenShell 0.1.6 it does not start without mTLS, OIDC or gateway JWTs, unless allow_unauthenticated_users is set in [openshell.gateway.auth].", ""
	case partialTLS:
		return "Some of the gateway's certificates and keys are there and others are not. Put the missing ones back from a copy; new ones would lock out the clients and sandboxes that have the old ones.", ""
	case engineTrouble:
		return "The gateway could not use what runs its sandboxes: the container engine, its socket or network, or an image.", runPreflight
	}
	return "", ""
}
