package preflight

import (
	"fmt"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

func checkServed(o gateway.Observation) Result {
	s := o.Served
	endpoint := or(s.Endpoint, or(o.Target.Endpoint, "the gateway"))
	switch {
	case s.State == drift.Known:
		return passed("%s answers with version %s", endpoint, or(s.Version.String(), "of no release"))
	case s.Answered:
		return warned("%s answers without a version%s", endpoint, reason(or(s.Detail, s.Why)))
	}

	r := warned("no answer from %s%s", endpoint, reason(or(s.Detail, s.Why)))
	if start := StartCommand(o); start != "" && stopped(o) {
		r.Fix = start
	} else if o.CLI.Path != "" {
		r.Fix = guidance{o: o}.status()
	}

	return r
}

// checkAgreement is the gate's verdict as a check.
func checkAgreement(o gateway.Observation) Result {
	assessed := drift.Assess(o.Evidence())
	switch {
	case assessed.Verdict == drift.Refuse:
		found := issue(o, assessed.Findings[0])
		return Result{
			Status: Fail, Fix: firstFix(o, found),
			Detail: strings.TrimSpace(fmt.Sprintf("openshell CLI %s, %s. %s", found.Installed, lowerFirst(running(found)), found.Why)),
		}
	case undecoded(o) != "":
		return Result{Status: Fail, Detail: "the gateway's status could not be decoded: " + undecoded(o)}
	case assessed.Verdict == drift.Unverified:
		return warned("%s", assessed.Doubt)
	case len(assessed.Warnings) > 0:
		return warned("%s; but %s", assessed.Confirmed, strings.Join(assessed.Warnings, "; "))
	}
	return passed("%s", assessed.Confirmed)
}

// firstFix is the first command that helps against a drift; "" when the repair is not a single command.
func firstFix(o gateway.Observation, found Issue) string {
	g := guidance{o: o, issue: found}
	switch {
	case len(o.Containers) > 0:
		return "sandkeeper backup-all --offline"
	case o.Target.Remote || found.Installed.AcrossBreak(found.Running):
		return ""
	case g.managed():
		return g.onboard()
	case found.Kind == drift.HostProcessDrift && fileIs(o, found.Installed) && !g.cliBehind():
		return serviceCommand(o)
	}
	return ""
}

func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

func reason(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
