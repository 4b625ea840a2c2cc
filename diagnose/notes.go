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
const keepData = "The agent's data is still in the stopped container. Save it from there first; never run `openshell sandbox delete` before that, for it discards the data."

// text is the explanation (docs/facts/openshell-0.1.md 1.2, 2.2, 4.2, 6) and the first action; "" for none.
func (n note) text() (words, first string) {
	switch n {
	case lost:
		return "The sandbox's own process or supervisor ended, and OpenShell may refuse to start the sandbox again. " + keepData, saveOffline
	case outage:
		return "The gateway was away for longer than its limit, so the supervisor stopped the sandbox. With the gateway back, `openshell sandbox start NAME` starts it again.", ""
	case restarted:
		return "The container engine or the host was restarted under the sandbox. The gateway starts such a sandbox the next time that the gateway itself starts. " + keepData, saveOffline
	case workspace:
		return "The sandbox's home, the image's WORKDIR, is missing or its user may not write there. " + keepData, saveOffline
	case strange:
		return "A container carries the labels of a sandbox and is not the one that its gateway made: it has a network, or other labels. The gateway stops it. " + keepData, saveOffline
	case supervisorGone:
		return "The gateway cannot start the sandbox's supervisor: most often its image was removed from this host. Pull the image of the same tag again; the gateway looks it up when the gateway starts.", ""
	case configuration:
		return "The gateway refuses its configuration: gateway.toml, or an option in its command line or its unit. From 0.1 on `openshell-gateway config preflight` checks the file without starting anything, and the file needs version = 2.", ""
	case noAuthentication:
		return "The gateway has no way to authenticate its users. Since 0.1.6 it does not start without mTLS, OIDC or gateway JWTs unless allow_unauthenticated_users is set in [openshell.gateway.auth].", ""
	case partialTLS:
		return "Some of the gateway's certificates and keys are there and others are not. Put back the missing files from a copy; new certificates make every registered client and running sandbox strangers to the gateway.", ""
	case engineTrouble:
		return "The gateway could not use what runs its sandboxes: the container engine, its socket, its network, or an image that it needs.", "docker version"
	}
	return "", ""
}
