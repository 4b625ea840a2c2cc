package preflight

import (
	"context"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/text"
)

// config finds a gateway.toml with which the gateway that would be started next does not start. That of 0.0.x is not
// judged.
func (in HostInput) config(ctx context.Context) Result {
	next := in.Seen.File
	switch {
	case in.Config == nil:
		return skipping("not looked at")
	case next.State != drift.Known || !next.Version.Stable():
		return skipping("no gateway of OpenShell 0.1.0 or later is known to be started next on this host")
	}

	c := in.Config(ctx)
	switch {
	case c.Refused != "":
		return in.noStart(in.configFix(c), fmt.Sprintf("gateway %s refuses %s: %s", next.Version, c.Path, c.Refused))
	case c.State == drift.Unknown:
		return warning(in.configFix(c), c.Why)
	case c.State == drift.Known && c.Version != configVersion:
		return in.noStart(in.configFix(c), fmt.Sprintf("%s is of version %d, and gateway %s starts with version %d only", c.Path, max(c.Version, 1), next.Version, configVersion))
	case c.Open && needsUsers(next.Version):
		return in.noStart("", fmt.Sprintf("gateway %q has no TLS, and nothing authenticates its users: gateway %s does not start so. Let it have TLS, or set allow_unauthenticated_users = true in [openshell.gateway.auth] of %s",
			in.Seen.Target.Name, next.Version, or(c.Path, "its gateway.toml")))
	case c.State == drift.Absent:
		return passed("none (%s): gateway %s starts with what it has built in", c.Why, next.Version)
	case !c.Asked:
		return passed("%s is of version %d; gateway %s could not be asked what it thinks of the rest", c.Path, c.Version, next.Version)
	}

	return passed("gateway %s accepts %s", next.Version, c.Path)
}

// configVersion is the version of a gateway.toml since 0.1.0 (docs/facts/openshell-0.1.md 4.1).
const configVersion = 2

// needsUsers reports whether a gateway starts only when something authenticates its users: 0.1.6 and later
// (docs/facts/openshell-0.1.md 2.2).
func needsUsers(v drift.Version) bool {
	major, minor, patch := v.Numbers()
	return major > 0 || minor > 1 || minor == 1 && patch >= 6
}

// noStart is a failure where no gateway answers. Where one does, the trouble comes with its next start.
func (in HostInput) noStart(fix, detail string) Result {
	if in.Seen.Served.Answered {
		return warning(fix, detail+". The gateway that answers now does not start again so")
	}
	return failing(fix, detail)
}

// configFix is the command that helps: one of version 1 is converted, of any other its gateway says what is wrong.
func (in HostInput) configFix(c gateway.Config) string {
	if c.State == drift.Known && c.Version != configVersion {
		return "sandkeeper migrate plan -g " + text.ShellWord(in.Seen.Target.Name)
	}
	return text.ShellWord(in.Seen.File.Path) + " config preflight --path " + text.ShellWord(c.Path)
}
