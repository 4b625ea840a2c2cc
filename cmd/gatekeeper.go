package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/survey"
)

// gatekeeper lets a command go on only with gateways that may be trusted, and tells the operator why not.
type gatekeeper struct {
	term *terminal
	host *survey.Host
}

// look surveys the host through its gateways, puts the preflight's report into found, and prints the refusal block or
// the warnings.
func (g *gatekeeper) look(ctx context.Context, found *answer, q survey.Question) (survey.Survey, error) {
	s, err := g.host.Look(ctx, q)
	return s, g.looked(s, found, q, err)
}

// looked is what a survey means for a command that trusts it: err is the error of that survey.
func (g *gatekeeper) looked(s survey.Survey, found *answer, q survey.Question, err error) error {
	if report := s.Report(); report != nil {
		found.preflight = report
	}
	if len(s.Gateways) == 0 || s.Gateways.Gate(q.Action, q.AllowUnverified) != nil {
		return g.untrusted(err)
	}
	g.warnAboutAll(s.Gateways)
	return g.explained(err, s.Gateways, q.Action)
}

// admit lets a command go on with gateways that may be trusted. It prints the refusal block, or the warnings, where a
// person reads.
func (g *gatekeeper) admit(gs survey.Gateways, action preflight.Action, allowUnverified bool) error {
	if err := gs.Gate(action, allowUnverified); err != nil {
		return g.untrusted(err)
	}
	g.warnAboutAll(gs)
	return nil
}

// untrusted gives the errors of a survey their exit codes, and prints the block of a refusal. Other errors stay as they
// are.
func (g *gatekeeper) untrusted(err error) error {
	if target, ok := errors.AsType[*survey.TargetError](err); ok {
		return usage("give the gateway's name as openshell gateway list shows it", "%w", target)
	}
	if refused, ok := errors.AsType[*survey.RefusedError](err); ok {
		return g.refuse(refused.Report, refused.Action)
	}
	if unverified, ok := errors.AsType[*survey.UnverifiedError](err); ok {
		seen := unverified.Seen
		if g.host.Gateway != "" && (seen.Served.NotRegistered() || (survey.Gateway{Seen: seen}).NeverHeardOf()) {
			return unanswered(seen) // a mistyped -g: nothing can be verified of it
		}
		return &Failure{Code: ExitUnreachable, Kind: kindUnverified, Err: unverified, Hint: unverifiedHint(unverified.Action)}
	}
	return err
}

// unverifiedHint names the flag only to a command that has it.
func unverifiedHint(action preflight.Action) string {
	if action == preflight.Trusting() {
		return "the checks that warn or fail say what is in the way"
	}
	return "sandkeeper preflight shows every check; --allow-unverified goes on all the same"
}

// warnAboutAll says what is to be known of gateways that a command goes on with.
func (g *gatekeeper) warnAboutAll(gs survey.Gateways) {
	for _, seen := range gs {
		if seen.Report.Verdict == drift.Unverified {
			g.term.warn("gateway %q: CLI and gateway cannot be shown to agree: %s", seen.Report.Gateway, seen.Report.Doubt)
		}
		for _, warning := range seen.Report.Warnings {
			g.term.warn("%s", warning)
		}
	}
}

// refuse prints the block and becomes the error; in JSON the same words are data.
func (g *gatekeeper) refuse(r preflight.Report, action preflight.Action) *Failure {
	r.DataChanged = r.DataChanged || g.term.cleared.data
	block := preflight.Block(r, action)
	if !g.term.json {
		fmt.Fprint(g.term.Err, g.term.paintBlock(block))
	}
	return &Failure{
		Code: ExitRefused, Kind: string(r.Issue.Kind), Err: errors.New(headline(block)),
		Hint: strings.Join(r.Recovery, "\n"), Said: true,
	}
}

// headline is the first line of a block that says something.
func headline(block string) string {
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// mismatched turns an error of a run that betrays a schema mismatch into a refusal, whose report goes into found. Other
// errors are explained.
func (g *gatekeeper) mismatched(ctx context.Context, found *answer, err error, gs survey.Gateways, action preflight.Action) error {
	if err == nil {
		return nil
	}
	if report := g.host.Explain(ctx, err, gs, action); report != nil {
		found.preflight = report
		return g.refuse(*report, action)
	}
	return g.explained(err, gs, action)
}

// explained adds to the failure of one gateway of several how the others' sandboxes are reached all the same.
func (g *gatekeeper) explained(err error, gs survey.Gateways, action preflight.Action) error {
	if refused, ok := errors.AsType[*survey.RefusedError](err); ok {
		return g.untrusted(refused)
	}
	listing, ok := errors.AsType[*openshell.ListingError](err)
	f := failureOf(err)
	if !ok || f.Code != ExitUnreachable {
		return err
	}
	if way := preflight.WayForward(gs.Named(listing.Gateway).Seen); way != "" && f.Kind == kindUnreachable {
		f.Hint = way + "; " + offlineHint
	}
	if len(gs) < 2 {
		return f
	}
	others := []string{}
	for _, other := range gs {
		if other.Seen.Target.Name != listing.Gateway {
			others = append(others, fmt.Sprintf("`%s -g %s`", action.Command, other.Seen.Target.Name))
		}
	}

	f.Hint += "; for the other gateways alone: " + strings.Join(others, ", ")
	return f
}
