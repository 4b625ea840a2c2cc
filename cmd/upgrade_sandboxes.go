package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
	"sandkeeper/upgrade/classify"
)

type upgradeOptions struct {
	app             *app
	check           bool
	auto, yes       bool
	only            []string
	allowUnverified bool
	resume          bool
	rollback        bool
	forget          string
	pending         upgrade.Left // what has not ended, of what -g and --only ask for
	noRehearsal     bool
	rehearseFull    bool
	settle          time.Duration
	readyLimit      time.Duration
	identity        string
	store           storeOptions
	capture         captureOptions
	skip            skipOptions
}

const upgradeLong = `Run the schema preflight, say which sandboxes are behind, and rebuild the stale ones: each is rehearsed, stopped, backed up and read
back, kept as a local image, deleted, created again by the same recipe, watched until it stays Ready, given its home back and compared with the backup.
Whatever fails after the deletion brings the old sandbox back by itself. What NemoClaw manages is rebuilt by nemoclaw, after the backup.

With --check nothing is changed: no file, lock, registry key, gateway selection or container state; exit 4 when a sandbox is stale,
unknown or orphaned.

Every step is in a journal first. A run that was killed is finished with --resume or taken back with --rollback; until then its
sandbox is not upgraded anew, and every other one is. --forget NAME gives up an upgrade that neither can end: it names what that
leaves behind, and removes nothing. docs/upgrades.md has the states and what to do in each.`

func newUpgradeSandboxes(a *app, run func(context.Context, *upgradeOptions) (*answer, error)) *cobra.Command {
	o := &upgradeOptions{app: a}
	if run == nil {
		run = runUpgrade
	}
	c := &cobra.Command{
		Use: "upgrade-sandboxes", Short: "Say which sandboxes are behind, and rebuild them", Long: upgradeLong,
		Example: "  sandkeeper upgrade-sandboxes --check --json\n  sandkeeper upgrade-sandboxes --only alpha\n" +
			"  sandkeeper upgrade-sandboxes --rollback",
		Annotations: creating(exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitFound, ExitUnreachable, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted), "check forget"),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.BoolVar(&o.check, "check", false, "look only: exit 4 when there is something to do")
	f.BoolVar(&o.auto, "auto", false, "for installers: rebuild what is stale without a question")
	f.BoolVarP(&o.yes, "yes", "y", false, "answer the question with yes")
	f.StringSliceVar(&o.only, "only", nil, "only these sandboxes")
	f.BoolVar(&o.allowUnverified, "allow-unverified", false, "go on when CLI and gateway cannot be shown to agree")
	f.BoolVar(&o.resume, "resume", false, "finish what a run that ended early has left")
	f.BoolVar(&o.rollback, "rollback", false, "take back what a run that ended early has left")
	f.StringVar(&o.forget, "forget", "", "give up the upgrade of this sandbox that neither --resume nor --rollback can end; nothing is removed")
	f.BoolVar(&o.noRehearsal, "no-rehearsal", false, "do not try the recipe in throw-away sandboxes first: for a host without the room, or with one GPU")
	f.BoolVar(&o.rehearseFull, "rehearse-full", false, "rehearse with the agent's command, environment values, providers and home: a second live agent for a while")
	f.DurationVar(&o.settle, "settle", driver.DefaultSettle, "how long a new sandbox must stay Ready")
	f.DurationVar(&o.readyLimit, "ready-limit", driver.DefaultReadyLimit, "how long a sandbox may take to be Ready")
	f.StringVar(&o.identity, "identity", "", "age key file that opens the backup again, with --encrypt-to")
	o.store.addFlags(f)
	o.store.addLockFlag(f)
	o.capture.addFlags(f)
	f.Lookup("stall-limit").Usage = "give up on a sandbox, or on the pull of an image, that sends nothing for this long"
	o.skip.addFlags(f)
	return c
}

func runUpgrade(ctx context.Context, o *upgradeOptions) (*answer, error) {
	if err := o.valid(); err != nil {
		return nil, err
	}
	if o.check {
		return o.runCheck(ctx)
	}
	surviveReaders()
	switch {
	case o.resume, o.rollback:
		return o.runUnfinished(ctx)
	case o.forget != "":
		return o.runForget(ctx)
	}

	return o.runMutating(ctx)
}

func (o *upgradeOptions) valid() error {
	switch {
	case o.resume && o.rollback:
		return usage("--resume goes on, --rollback goes back", "--resume and --rollback exclude each other")
	case o.check && (o.resume || o.rollback):
		return usage("--check alone says what is unfinished", "--check changes nothing, so it can neither resume nor roll back")
	case o.forget != "" && (o.check || o.resume || o.rollback || len(o.only) > 0):
		return usage("--forget NAME stands alone", "--forget gives up one upgrade, so it goes with none of --check, --resume, --rollback and --only")
	case o.noRehearsal && o.rehearseFull:
		return usage("give one of them, or neither", "--no-rehearsal and --rehearse-full exclude each other")
	case o.settle < 0 || o.readyLimit <= 0:
		return usage("give durations such as 10s and 5m", "--settle must not be negative, and --ready-limit must be positive")
	case len(o.capture.encryptTo) > 0 && o.identity == "" && !o.check:
		return usage("add --identity FILE, or leave --encrypt-to out", "an encrypted backup must be opened again for the restore")
	}

	if err := o.skip.check(); err != nil {
		return err
	}
	return o.capture.check()
}

// runCheck classifies and reports. It is read-only in the strict sense.
func (o *upgradeOptions) runCheck(ctx context.Context) (*answer, error) {
	found := &answer{}
	if err := o.peek(); err != nil {
		return found, err
	}
	seen, err := o.classify(ctx, found, preflight.Checking(), true)
	if err != nil {
		return found, err
	}
	summary := seen.summary
	for i := range o.pending {
		if o.pending[i].Holds() {
			summary.Warnings = append(summary.Warnings, o.pending[i].Why())
		}
	}

	found.result = summary
	found.text = func(term *terminal) { renderCheck(term, summary) }
	t := summary.Totals
	switch {
	case !summary.NeedsAttention() && seen.Inventory.Partial != nil:
		return found, unseen("what was seen is current, and not everything was seen", seen.Inventory.Partial)
	case !summary.NeedsAttention():
		return found, nil
	}
	return found, &Failure{
		Code: ExitFound, Kind: kindPartial, Said: true,
		Err:  fmt.Errorf("%d stale, %d unknown, %d orphaned", t.Stale, t.Unknown, t.Orphaned),
		Hint: "sandkeeper backup-all saves every sandbox first; then sandkeeper upgrade-sandboxes rebuilds the stale ones",
	}
}

// upgradeSurvey is what a run has seen of the host before it changes anything.
type upgradeSurvey struct {
	survey.Survey
	engine  *engine.Engine // that the sandboxes run on
	summary classify.Summary
}

// engineOf is the engine that the sandboxes run on: that of the first which has a container.
func engineOf(engines engine.Engines, all []sandbox.Sandbox) *engine.Engine {
	for _, sb := range all {
		if sb.Container != nil {
			return engines.Of(*sb.Container)
		}
	}

	main, _ := engines.Main()
	return main
}

// classify takes the inventory after the preflight and compares every sandbox with what it should be.
func (o *upgradeOptions) classify(ctx context.Context, found *answer, action preflight.Action, allowUnverified bool) (upgradeSurvey, error) {
	a := o.app
	s := upgradeSurvey{summary: classify.Summary{Sandboxes: []classify.Checked{}}}
	var err error
	s.Survey, err = a.gate.look(ctx, found, survey.Question{Action: action, AllowUnverified: allowUnverified, Recorded: a.stores.recorded(o.store), Judged: o.skipped})
	if err != nil || len(s.Gateways) == 0 { // nothing is registered
		return s, err
	}
	if len(o.only)+len(o.pending) == 0 {
		if err := a.unmatched(s.Inventory); err != nil {
			return s, err
		}
	}
	if s.Inventory.Sandboxes, err = onlyThese(s.Inventory.Sandboxes, o.only, o.pending.Of); err != nil {
		return s, err
	}
	s.engine = engineOf(s.Engines, s.Inventory.Sandboxes)
	look := probesOf(a.host, s.Engines)
	look.CLI, look.Gateways = a.host.CLI(s.Gateways), &driver.Gateways{Open: a.host.Connect(s.Gateways)}
	s.summary, err = classify.Sandboxes(ctx, o.classifyInput(ctx, s, look))
	return s, errors.Join(err, look.Gateways.Close())
}

func (o *upgradeOptions) classifyInput(ctx context.Context, s upgradeSurvey, look classify.Probes) classify.Input {
	a := o.app
	in := classify.Input{Inventory: s.Inventory, Gateways: map[string]drift.Version{}, Timeout: a.host.CommandTimeout()}
	for _, g := range s.Gateways {
		in.Gateways[g.Seen.Target.Name] = g.Seen.Evidence().Gateway()
	}
	nemoclaw := nemoclawPath(s.Gateways)
	in.Agents = classify.ReadAgents(a.Env, classify.AgentRoots(a.Env, nemoclaw), a.settings.file.expectedAgents())
	if nemoclaw != "" {
		version, err := classify.NemoClawVersion(ctx, a.Env, a.UID, nemoclaw)
		if err != nil {
			a.term.warn("version of %s: %v", nemoclaw, err)
		}
		in.NemoClaw = version
	}

	in.Probe, in.Supervisor, in.RecipeImage = look.Agent, look.Supervisor, look.RecipeImage
	in.ImageID, in.Inspect = look.ImageID, look.Inspect
	return in
}

// nemoclawPath is the nemoclaw command of this host, or "".
func nemoclawPath(gateways survey.Gateways) string {
	path := ""
	for _, g := range gateways {
		path = g.Seen.Host.NemoClaw
	}
	return path
}

// onlyThese are the sandboxes of these names, each once, however often it is named. One that is known elsewhere may be
// missing.
func onlyThese(all []sandbox.Sandbox, names []string, elsewhere func(name string) bool) ([]sandbox.Sandbox, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []sandbox.Sandbox
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		found := slices.ContainsFunc(all, func(sb sandbox.Sandbox) bool { return sb.Answers(name) })
		for _, sb := range all {
			if sb.Answers(name) && !slices.ContainsFunc(chosen, func(have sandbox.Sandbox) bool { return have.Key() == sb.Key() }) {
				chosen = append(chosen, sb)
			}
		}

		if !found && !elsewhere(name) {
			f := notFound("there is no sandbox %q", name)
			f.Hint = "sandkeeper upgrade-sandboxes --check shows the sandboxes"
			return nil, f
		}
	}
	return chosen, nil
}

// skipped takes down, for every way of the command, which failures are warnings only.
func (o *upgradeOptions) skipped(gateways survey.Gateways) {
	for i := range gateways {
		r := &gateways[i].Report
		r.Checks = preflight.Demote(r.Checks, o.skip.codes)
		r.SkippedChecks = o.skip.codes
	}
}
