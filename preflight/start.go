package preflight

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/gateway"
	"sandkeeper/internal/text"
)

// StartCommand is the one command that starts the gateway of o on this host, by what manages it here; "" when none is
// known, or the gateway is another user's or not of this host.
func StartCommand(o gateway.Observation) string {
	if o.Target.Remote || o.Port.Afar != "" || o.Stranger != "" {
		return ""
	}
	switch g := (guidance{o: o}); {
	case g.managed():
		return g.onboard()
	case o.Host.Start != "":
		return o.Host.Start
	}
	return launchCommand(o.Host.Launch)
}

// launchCommand is the command line of a launch as a person types it; "" without one.
func launchCommand(l *gateway.Launch) string {
	if l == nil {
		return ""
	}
	var words []string
	if l.Dir != "" {
		words = append(words, "cd", text.ShellWord(l.Dir), "&&")
	}
	if len(l.Env) > 0 {
		words = append(words, "env")
	}
	for _, word := range slices.Concat(l.Env, []string{l.Program}, l.Args) {
		words = append(words, text.ShellWord(word))
	}
	return strings.Join(words, " ")
}

// stopped reports whether nothing of this host serves, as far as can be seen.
func stopped(o gateway.Observation) bool {
	return o.Process.PID == 0 && len(o.Port.Holders) == 0 && !o.Cluster.Active && !o.Served.Answered
}

// WayForward says of a gateway that does not answer what to do on this host; "" when something serves and its own error
// says more.
func WayForward(o gateway.Observation) string {
	command := StartCommand(o)
	switch {
	case o.Port.Afar != "":
		return fmt.Sprintf("%s; bring it, or the way to it, up again there", o.Port.Afar)
	case !stopped(o):
		return ""
	case command != "" && command == launchCommand(o.Host.Launch):
		return fmt.Sprintf("start it with `%s`, as it ran when its state was last saved", command)
	case command != "":
		return fmt.Sprintf("start it with `%s`", command)
	}
	return fmt.Sprintf("nothing of gateway %q runs on this host, and no command that starts it is known here: start it the way it was started before", o.Target.Name)
}
