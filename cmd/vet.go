package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/tracing"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

// view is one gateway as this run sees it, with the preflight's judgement.
type view struct {
	binding sandbox.Binding
	seen    gateway.Observation
	report  preflight.Report
}

// vet observes and judges every gateway that a run will trust, all at once, in the order of bindings.
func (a *app) vet(ctx context.Context, action preflight.Action, bindings []sandbox.Binding) []view {
	ctx, span := tracing.Start(ctx, "preflight")
	defer span.End()
	views := make([]view, len(bindings))
	var wg sync.WaitGroup
	for i, binding := range bindings {
		wg.Go(func() {
			seen := gateway.Observe(ctx, a.gatewayOptions(binding))
			a.addLaunch(&seen)
			views[i] = view{binding, seen, preflight.Judge(seen, action)}
		})
	}
	wg.Wait()
	for _, v := range views {
		for _, probe := range v.seen.Probes {
			a.note("gateway %q: %s is %s: %s (%d ms)", v.seen.Target.Name, probe.Code, probe.State, probe.Detail, probe.Took.Milliseconds())
		}
	}
	return views
}

func (a *app) gatewayOptions(binding sandbox.Binding) gateway.Options {
	return gateway.Options{
		Env: a.Env, UID: a.UID, Gateway: a.global.gateway, GatewayName: binding.Gateway, GatewayPort: binding.Port,
		ProbeTimeout: a.global.probeTimeout, EngineTimeout: a.global.probeTimeout, Now: time.Now,
		Engines: a.engines,
	}
}

// bindings are the gateways that a run concerns: the one asked for with -g, else those that the registry's rows are bound to,
// else the one binding that says "choose": gateway.ChooseTarget then decides.
func (a *app) bindings(r sandbox.Registry) []sandbox.Binding {
	if a.global.gateway != "" {
		return []sandbox.Binding{{Gateway: a.global.gateway}}
	}
	var found []sandbox.Binding
	for _, row := range r.Rows {
		binding := sandbox.Binding{Gateway: row.Gateway, Port: row.GatewayPort}
		if row.BindingErr == nil && !slices.Contains(found, binding) {
			found = append(found, binding)
		}
	}
	if len(found) == 0 {
		return []sandbox.Binding{{}}
	}
	return found
}

// worst is the view that decides: one that refuses, else one that is unverified, else the first.
func worst(views []view) *view {
	for _, verdict := range []drift.Verdict{drift.Refuse, drift.Unverified} {
		for i := range views {
			if views[i].report.Verdict == verdict {
				return &views[i]
			}
		}
	}
	return &views[0]
}

// gate turns views into an error when one of them refuses, or is unverified where that is not allowed. It prints the refusal
// block, or the warning, where a person reads.
func (a *app) gate(views []view, action preflight.Action, allowUnverified bool) error {
	decisive := worst(views)
	switch {
	case decisive.seen.Target.Err != nil:
		return usage("give the gateway's name as openshell gateway list shows it", "%w", decisive.seen.Target.Err)
	case decisive.report.Refused():
		return a.refusal(decisive.report, action)
	case decisive.report.Verdict == drift.Unverified && !allowUnverified:
		return &Failure{
			Code: ExitUnreachable, Kind: kindUnverified, Err: fmt.Errorf("gateway %q: CLI and gateway cannot be shown to agree: %s", decisive.report.Gateway, decisive.report.Doubt),
			Hint: unverifiedHint(action),
		}
	}
	for _, v := range views {
		a.warnAbout(v.report)
	}
	return nil
}

// unverifiedHint names the flag only to a command that has it.
func unverifiedHint(action preflight.Action) string {
	if action == preflight.Trusting() {
		return "the checks that warn or fail say what is in the way"
	}
	return "sandkeeper preflight shows every check; --allow-unverified goes on all the same"
}

func (a *app) warnAbout(r preflight.Report) {
	if r.Verdict == drift.Unverified {
		a.warn("gateway %q: CLI and gateway cannot be shown to agree: %s", r.Gateway, r.Doubt)
	}
	for _, warning := range r.Warnings {
		a.warn("%s", warning)
	}
}

// refusal prints the block and becomes the error; in JSON the same words are data.
func (a *app) refusal(r preflight.Report, action preflight.Action) *Failure {
	block := preflight.Block(r, action)
	if !a.JSON {
		fmt.Fprint(a.Err, a.paintBlock(block))
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

// reactive turns an inventory error that betrays a schema mismatch into a refusal, with the drift that explains it. The host is looked
// at again first: the gateway may have been replaced since the preflight, and that is then the cause.
func (a *app) reactive(ctx context.Context, err error, views []view, action preflight.Action) (*preflight.Report, error) {
	var report preflight.Report
	if mismatch, ok := errors.AsType[*openshell.MismatchError](err); ok {
		report = preflight.JudgeMismatch(a.again(ctx, viewOf(views, mismatch.Gateway)), action, mismatch.Output)
	} else if unspecified, ok := errors.AsType[*sandbox.UnspecifiedError](err); ok {
		report = preflight.JudgeUnspecified(a.again(ctx, viewOf(views, unspecified.Gateway)), action, unspecified.Count)
	} else {
		return nil, withOthers(err, views, action)
	}
	return &report, a.refusal(report, action)
}

// again observes the gateway of a view anew; what was seen before when there is no time left for that.
func (a *app) again(ctx context.Context, v view) gateway.Observation {
	seen := gateway.Observe(ctx, a.gatewayOptions(v.binding))
	if ctx.Err() != nil {
		return v.seen
	}
	return seen
}

// withOthers adds to the failure of one gateway of several how the others' sandboxes are reached all the same.
func withOthers(err error, views []view, action preflight.Action) error {
	listing, ok := errors.AsType[*openshell.ListingError](err)
	f := failureOf(err)
	if !ok || f.Code != ExitUnreachable {
		return err
	}
	if way := preflight.WayForward(viewOf(views, listing.Gateway).seen); way != "" && f.Kind == kindUnreachable {
		f.Hint = way + "; " + offlineHint
	}
	if len(views) < 2 {
		return f
	}
	others := []string{}
	for _, v := range views {
		if v.seen.Target.Name != listing.Gateway {
			others = append(others, fmt.Sprintf("`%s -g %s`", action.Command, v.seen.Target.Name))
		}
	}
	f.Hint += "; for the other gateways alone: " + strings.Join(others, ", ")
	return f
}

func viewOf(views []view, name string) view {
	for _, v := range views {
		if v.seen.Target.Name == name {
			return v
		}
	}
	return views[0]
}
