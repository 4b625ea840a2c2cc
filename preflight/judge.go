package preflight

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// outputLimit is how much of OpenShell's own words a refusal quotes (docs/design.md 3.3).
const outputLimit = 260

// fieldLimit bounds a foreign name, path, reference or reason in a report; longer ones are cut and end in "…".
const fieldLimit = 1024

// Judge assesses o and says, when it refuses, what to do about it on this host. A gateway whose status could not be
// decoded is refused as one whose listing could not be. Its checks are those of Checks; a caller with checks of its own
// appends their results.
func Judge(o gateway.Observation, a Action) Report {
	assessed := drift.Assess(o.Evidence())
	r := report(o, assessed)
	if r.Refused() {
		r.refuse(o, a, issue(o, assessed.Findings[0]))
		return r
	}
	if output := undecoded(o); output != "" {
		return JudgeMismatch(o, a, output)
	}
	return r
}

// undecoded is what the CLI printed when it could not decode the gateway's status, or "".
func undecoded(o gateway.Observation) string {
	if failed, ok := errors.AsType[*openshell.MismatchError](o.Served.Err); ok {
		return failed.Output
	}
	return ""
}

// JudgeMismatch refuses because a state call answered with output, which could not be decoded, and attaches the drift
// that explains it when there is one.
func JudgeMismatch(o gateway.Observation, a Action, output string) Report {
	assessed := drift.Assess(o.Evidence())
	r := report(o, assessed)
	r.Verdict, r.Doubt = drift.Refuse, ""
	r.refuse(o, a, mismatch(o, assessed, output))
	return r
}

func mismatch(o gateway.Observation, assessed drift.Assessment, output string) Issue {
	found := issue(o, finding(assessed))
	found.Kind, found.Drift = drift.ProtobufMismatch, found.Kind
	found.Output = text.OneLine(output, outputLimit)
	if found.Drift == "" {
		found.Why = unexplained(assessed)
	}
	return found
}

// JudgeUnspecified refuses because a gateway listed all of its n sandboxes in phase Unspecified, which is how a client
// of another schema reads them (docs/facts/openshell.md 4.2).
func JudgeUnspecified(o gateway.Observation, a Action, n int) Report {
	if r := Judge(o, a); r.Refused() {
		return r
	}
	return JudgeMismatch(o, a, fmt.Sprintf("all %d sandboxes are in phase Unspecified", n))
}

func report(o gateway.Observation, assessed drift.Assessment) Report {
	return Report{
		Verdict:  assessed.Verdict,
		Gateway:  clean(o.Target.Name),
		Marker:   Marker{Path: clean(o.Marker.Path), State: markerState(o.Marker), Reason: clean(o.Marker.Reason)},
		Checks:   RunChecks(context.Background(), Checks(o), nil),
		Recovery: []string{},
		Warnings: cleaned(assessed.Warnings),
		Doubt:    clean(assessed.Doubt),
	}
}

func (r *Report) refuse(o gateway.Observation, a Action, found Issue) {
	r.Issue = &found
	r.Recovery = recovery(o, found, a)
}

// finding is the most decisive one; without any it still tells the CLI's version.
func finding(assessed drift.Assessment) drift.Finding {
	if len(assessed.Findings) > 0 {
		return assessed.Findings[0]
	}
	return drift.Finding{}
}

func issue(o gateway.Observation, f drift.Finding) Issue {
	found := Issue{
		Kind: f.Kind, Source: f.Source, Installed: f.Installed, Running: f.Running,
		Binary: clean(f.Binary), PID: f.PID, Image: clean(f.Image), Container: clean(f.Container),
		Endpoint: clean(f.Endpoint), Gateway: clean(o.Target.Name),
	}
	if found.Endpoint == "" {
		found.Endpoint = clean(o.Target.Endpoint)
	}
	if found.Installed == (drift.Version{}) && o.CLI.State == drift.Known {
		found.Installed = o.CLI.Version
	}
	found.Why = why(o, found)
	return found
}

func markerState(m gateway.Marker) string {
	if m.State == "" {
		return string(gateway.MarkerAbsent)
	}
	return string(m.State)
}

// clean is foreign text as one bounded line without control characters.
func clean(written string) string { return text.OneLine(written, fieldLimit) }

func cleaned(texts []string) []string {
	lines := make([]string, 0, len(texts))
	for _, text := range texts {
		lines = append(lines, clean(text))
	}
	return lines
}
