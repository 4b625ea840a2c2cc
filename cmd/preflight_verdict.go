package cmd

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/preflight"
)

// readiness is what keeps this host from being worked on now although nothing refuses: a check that failed, then a gateway that did not
// answer, then versions that nothing confirms (docs/design.md 3.2). Nil when nothing does.
func (a *app) readiness(views []view, v *view, action preflight.Action) error {
	if f := failedChecks(v.report.Checks, gateway.ProbeCLI); f == nil && neverHeardOf(v.seen) {
		return notRegistered(v.seen)
	}
	if f := failedChecks(v.report.Checks); f != nil {
		return f
	}
	if asked := v.seen.Target.Err == nil && v.seen.CLI.Path != ""; asked && !v.seen.Served.Answered {
		return unanswered(v.seen)
	}
	if v.report.Verdict == drift.Unverified {
		return a.gate(views, action, false)
	}
	return nil
}

// neverHeardOf reports a gateway that was asked for by a name that nothing on this host has: no registration, no state, nothing that
// runs. Without a command line, that is what is wrong: there is nobody to ask whether the name was mistyped.
func neverHeardOf(seen gateway.Observation) bool {
	return seen.Target.Source == "-g" && seen.Target.Unknown && seen.CLI.Path == "" && !seen.Host.Managed &&
		seen.Process.PID == 0 && !seen.Cluster.Active
}

func notRegistered(seen gateway.Observation) *Failure {
	return &Failure{
		Code: ExitUnreachable, Kind: kindNotRegistered, Err: fmt.Errorf("no gateway %q is registered for this user, and %s", seen.Target.Name, seen.CLI.Why),
		Hint: "give a name that is registered (folders of ~/.config/openshell/gateways), and " + installHint,
	}
}

// failedChecks becomes the error of the first check that failed; the others are named beside it. The verdict's own check is not among
// them: it has refused. Checks of the codes in without are passed over.
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

// likelyCause names in an error the checks that failed before it: a gateway that cannot start on its database does not answer either.
func likelyCause(err error, checks []preflight.Result) error {
	cause := failedChecks(checks)
	if err == nil || cause == nil {
		return err
	}
	f := *failureOf(err)
	f.Hint = strings.TrimSuffix(fmt.Sprintf("the likely cause: %v\n%s", cause.Err, f.Hint), "\n")
	return &f
}

// mostUrgent is the view that preflight reports: one that refuses, else one with a failed check, else one whose gateway is silent or
// whose versions nothing confirms, else the first.
func mostUrgent(views []view) *view {
	urgency := func(v view) int {
		switch {
		case v.report.Refused():
			return 0
		case failedChecks(v.report.Checks) != nil:
			return 1
		case !v.seen.Served.Answered:
			return 2
		case v.report.Verdict == drift.Unverified:
			return 3
		}
		return 4
	}
	first := 0
	for i := range views {
		if urgency(views[i]) < urgency(views[first]) {
			first = i
		}
	}
	return &views[first]
}

// verdictLine is the last line of the table: pass stands there only where the host may be worked on.
func verdictLine(r preflight.Report, err error) string {
	line := fmt.Sprintf("verdict for gateway %q: %s", r.Gateway, r.Verdict)
	f := failureOf(err)
	if f == nil || r.Refused() || f.Kind == string(r.Verdict) {
		return line
	}
	word := map[drift.Verdict]string{drift.Pass: "the versions agree", drift.Unverified: "the versions could not be compared"}[r.Verdict]
	return fmt.Sprintf("verdict for gateway %q: not ready (%s); %s", r.Gateway, f.Kind, word)
}

// demotedEverywhere demotes the skipped checks of every view.
func demotedEverywhere(views []view, skip skipOptions) {
	for i := range views {
		views[i].report.Checks = preflight.Demote(slices.Clone(views[i].report.Checks), skip.codes)
	}
}
