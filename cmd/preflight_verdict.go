package cmd

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/preflight"
	"sandkeeper/survey"
)

// readiness is what keeps this host from being worked on now although nothing refuses: a check that failed, then a
// gateway that did not answer, then versions that nothing confirms (docs/design.md 3.2). Nil when nothing does.
func (g *gatekeeper) readiness(gateways survey.Gateways, of *survey.Gateway, action preflight.Action) error {
	if f := failedChecks(of.Report.Checks, gateway.ProbeCLI); f == nil && of.NeverHeardOf() {
		return notRegistered(*of)
	}
	if f := failedChecks(of.Report.Checks); f != nil {
		return f
	}
	if asked := of.Seen.Target.Err == nil && of.Seen.CLI.Path != ""; asked && !of.Seen.Served.Answered {
		return unanswered(of.Seen)
	}
	if of.Report.Verdict == drift.Unverified {
		return g.admit(gateways, action, false)
	}
	return nil
}

func notRegistered(g survey.Gateway) *Failure {
	return &Failure{
		Code: ExitUnreachable, Kind: kindNotRegistered, Err: &survey.NeverHeardOfError{Gateway: g},
		Hint: "give a name that is registered (folders of ~/.config/openshell/gateways), and " + installHint,
	}
}

// failedChecks becomes the error of the first check that failed; the others are named beside it. The verdict's own
// check is not among them: it has refused. Checks of the codes in without are passed over.
func failedChecks(checks []preflight.Result, without ...string) *Failure {
	var failed []string
	var first preflight.Result
	for _, c := range checks {
		if c.Status != preflight.Fail || c.Code == preflight.CodeAgreement || slices.Contains(without, c.Code) {
			continue
		}
		if failed = append(failed, c.Code); len(failed) == 1 {
			first = c
		}
	}

	if len(failed) == 0 {
		return nil
	}
	f := &Failure{Code: ExitRefused, Kind: first.Kind, Err: fmt.Errorf("%s: %s", first.Code, first.Detail), Hint: first.Fix}
	if f.Kind == "" {
		f.Kind = "check_failed"
	}
	if first.Code == gateway.ProbeCLI {
		f.Hint = installHint
	}
	if len(failed) > 1 {
		f.Err = fmt.Errorf("%w (failed as well: %s)", f.Err, strings.Join(failed[1:], ", "))
	}
	return f
}

// likelyCause names in an error the checks that failed before it: a gateway that cannot start on its database does not
// answer either.
func likelyCause(err error, checks []preflight.Result) error {
	cause := failedChecks(checks)
	if err == nil || cause == nil {
		return err
	}
	f := *failureOf(err)
	f.Hint = strings.TrimSuffix(fmt.Sprintf("the likely cause: %v\n%s", cause.Err, f.Hint), "\n")
	return &f
}

// mostUrgent is the gateway that preflight reports: a refused one, else one with a failed check, else one that is
// silent or whose versions nothing confirms, else the first.
func mostUrgent(gateways survey.Gateways) *survey.Gateway {
	urgency := func(g survey.Gateway) int {
		switch {
		case g.Report.Refused():
			return 0
		case failedChecks(g.Report.Checks) != nil:
			return 1
		case !g.Seen.Served.Answered:
			return 2
		case g.Report.Verdict == drift.Unverified:
			return 3
		}
		return 4
	}
	first := 0
	for i := range gateways {
		if urgency(gateways[i]) < urgency(gateways[first]) {
			first = i
		}
	}
	return &gateways[first]
}

// verdictLine is the last line of the table: pass stands there only where the host may be worked on.
func verdictLine(g survey.Gateway, err error) string {
	r := g.Report
	line := fmt.Sprintf("verdict for gateway %q: %s", r.Gateway, r.Verdict)
	f := failureOf(err)
	if f == nil || r.Refused() || f.Kind == string(r.Verdict) {
		return line
	}
	word := "the versions could not be compared"
	switch agree := r.Verdict == drift.Pass; {
	case agree && g.Seen.Evidence().Gateway().Known():
		word = "the versions agree"
	case agree:
		word = "what would be started next is of the CLI's version"
	}
	return fmt.Sprintf("verdict for gateway %q: not ready (%s); %s", r.Gateway, f.Kind, word)
}

// demotedEverywhere demotes the skipped checks of every gateway.
func demotedEverywhere(gateways survey.Gateways, skip skipOptions) {
	for i := range gateways {
		gateways[i].Report.Checks = preflight.Demote(slices.Clone(gateways[i].Report.Checks), skip.codes)
	}
}
