package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
)

// peek looks into the journal, before anything else and without changing it, for what -g and --only ask for. A record
// that cannot be read does not say whose it is, and holds up the sandbox whose key it has.
func (o *upgradeOptions) peek() error {
	all, err := upgrade.Peek(stateDir(o.app.Env))
	if err != nil {
		return journalFailure(err)
	}
	o.pending = slices.DeleteFunc(all, func(p upgrade.Pending) bool { return !o.asksFor(p) })
	return nil
}

func journalFailure(err error) error {
	if errors.Is(err, upgrade.ErrJournalBusy) {
		return &Failure{Code: ExitLocked, Kind: "locked", Err: err, Hint: "wait for that run to end, then run this command again"}
	}
	return err
}

func (o *upgradeOptions) asksFor(p upgrade.Pending) bool {
	gateway := o.app.host.Gateway
	return p.Name == "" || (gateway == "" || p.Gateway == gateway) && (len(o.only) == 0 || slices.ContainsFunc(o.only, p.Answers))
}

// warnPending names what has not ended.
func (o *upgradeOptions) warnPending() {
	for _, p := range o.pending {
		if p.Name != "" && p.Holds() {
			o.app.term.warn("%s", p.Why())
		}
	}
}

// onlyPending leaves what can be gone on with, and fails where --only names what is not pending. Of a journal that
// cannot be read it is never said that it has nothing.
func (o *upgradeOptions) onlyPending() error {
	damaged := o.pending.Damaged()
	o.pending = o.pending.Readable()
	missing := slices.IndexFunc(o.only, func(name string) bool { return !o.pending.Of(name) })
	switch {
	case damaged != nil && (len(o.pending) == 0 || missing >= 0):
		return damaged
	case missing < 0, len(o.pending) == 0 && o.app.host.Gateway != "":
		return nil
	}

	return noneOf(o.only[missing])
}

// noneOf is the failure to find the unfinished upgrade that is named.
func noneOf(name string) *Failure {
	f := notFound("no upgrade of a sandbox %q is unfinished", name)
	f.Hint = "sandkeeper upgrade-sandboxes --check names what is unfinished"
	return f
}

// heldUp counts the sandboxes that an earlier upgrade, or another run, holds up.
func heldUp(outcomes []upgrade.Outcome) (held int) {
	for _, o := range outcomes {
		if o.Held {
			held++
		}
	}
	return held
}

// waitingFor counts the sandboxes that wait for another run alone.
func waitingFor(outcomes []upgrade.Outcome) (waiting int) {
	for _, o := range outcomes {
		if o.Busy {
			waiting++
		}
	}
	return waiting
}

// heldFailure is that of a run in which nothing but held up sandboxes was left to do.
func heldFailure(outcomes []upgrade.Outcome) *Failure {
	outcomes = slices.DeleteFunc(slices.Clone(outcomes), func(o upgrade.Outcome) bool { return !o.Held })
	var open []string
	for _, o := range outcomes {
		if o.Busy {
			return &Failure{Code: ExitLocked, Kind: "locked", Err: errors.New(o.Reason), Hint: "wait for that run to end, then run this command again"}
		}
		open = append(open, fmt.Sprintf("%q at %s", o.Address(), o.Step))
	}
	return &Failure{
		Code: ExitRefused, Kind: kindPartial, Err: fmt.Errorf("an earlier upgrade is not finished: %s", strings.Join(open, ", ")), Hint: waysOut,
	}
}

// waysOut are the ways out of an upgrade that was left.
const waysOut = "to go on: sandkeeper upgrade-sandboxes --resume\nto go back: sandkeeper upgrade-sandboxes --rollback\n" +
	"when neither can end it: sandkeeper upgrade-sandboxes --forget NAME"

func unfinishedHint(outcomes []upgrade.Outcome) string {
	if slices.ContainsFunc(outcomes, func(o upgrade.Outcome) bool { return o.Unfinished }) {
		return waysOut
	}
	return "each is named with its reason; sandkeeper upgrade-sandboxes --check shows what is stale now"
}

// runUnfinished goes on with, or takes back, what the journal names.
func (o *upgradeOptions) runUnfinished(ctx context.Context) (answered *answer, err error) {
	found := &answer{}
	if err := o.peek(); err != nil {
		return found, err
	}
	if err := o.onlyPending(); err != nil {
		return found, err
	}
	left := o.pending.Entries()
	switch {
	case len(o.pending) == 0:
		return found.nothingLeft(o.app.host.Gateway), nil
	case len(left) == 0:
		return o.answered(found, o.pending.Outcomes())
	}

	if err := o.recall(left); err != nil {
		return found, err
	}
	seen, err := o.lookUnfinished(ctx, left, found)
	if err != nil {
		return found, err
	}
	u, err := o.upgrader(ctx, seen, o.nemoclaw(ctx, seen))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	entries, others := u.Journal.Adopt(o.pending)
	if len(entries)+len(others) == 0 {
		return found.nothingLeft(o.app.host.Gateway), nil
	}
	outcomes, err := o.finish(ctx, u, pointers(entries), others)
	if err != nil {
		return found, err
	}
	return o.ended(ctx, found, outcomes)
}

// lookUnfinished is the preflight of the gateways that unfinished upgrades are worked on through, and of no other.
func (o *upgradeOptions) lookUnfinished(ctx context.Context, left []upgrade.Entry, found *answer) (seen upgradeSurvey, err error) {
	host := o.app.host
	registry, err := host.Registry()
	if err != nil {
		return seen, err
	}
	action := preflight.Upgrading()
	gateways := host.Judge(ctx, action, upgrade.Bindings(left, host.Bindings(registry)))
	seen.Survey = survey.Survey{Registry: registry, Gateways: gateways, Engines: host.Engines(ctx)}
	o.skipped(seen.Gateways)
	found.preflight = seen.Report()
	found.preflight.DataChanged = true
	seen.engine = engineWith(ctx, seen.Engines, left[0].EngineID)
	return seen, o.app.gate.admit(seen.Gateways, action, o.allowUnverified)
}

// nothingLeft is the answer to --resume and --rollback where no upgrade has been left, on the one gateway that was
// asked for if any.
func (found *answer) nothingLeft(gateway string) *answer {
	found.result = upgrade.Summarise(nil)
	found.text = func(term *terminal) {
		if gateway != "" {
			term.printf("Nothing is unfinished on gateway %q.", gateway)
			return
		}
		term.printf("Nothing is unfinished.")
	}
	return found
}

// finish goes on with those that are this process's own; the others have their outcome.
func (o *upgradeOptions) finish(ctx context.Context, u *upgrading, chosen []*upgrade.Entry, others []upgrade.Outcome) ([]upgrade.Outcome, error) {
	if len(chosen) == 0 {
		return others, nil
	}
	if err := o.confirm(ctx, o.questionUnfinished(chosen)); err != nil {
		return nil, err
	}
	for _, e := range chosen {
		if o.noRehearsal {
			e.Rehearse = upgrade.NoRehearsal
		}
	}

	if o.rollback {
		return append(others, u.RollBack(ctx, chosen)...), nil
	}
	return append(others, u.Execute(ctx, chosen)...), nil
}

// recall takes from the journal where the backups are and what opens them, unless the command line says so: the
// commands that are advised while something is unfinished name neither.
func (o *upgradeOptions) recall(entries []upgrade.Entry) error {
	for i := range entries {
		e, first := &entries[i], &entries[0]
		if o.store.dir == "" && e.BackupRoot != first.BackupRoot || o.identity == "" && e.Identity != first.Identity {
			return usage("finish one after the other, with --only NAME", "the upgrades of sandboxes %q and %q have their backups in different folders, or other keys open them", first.Address(), e.Address())
		}
		if e.EngineID != first.EngineID {
			return usage("finish one after the other, with --only NAME", "sandboxes %q and %q are on different container engines", first.Address(), e.Address())
		}
	}

	if o.store.dir == "" {
		o.store.dir = entries[0].BackupRoot
	}
	if o.identity == "" {
		o.identity = entries[0].Identity
	}
	return nil
}

func pointers(entries []upgrade.Entry) []*upgrade.Entry {
	chosen := make([]*upgrade.Entry, 0, len(entries))
	for i := range entries {
		chosen = append(chosen, &entries[i])
	}
	return chosen
}

// runForget gives up an upgrade that neither --resume nor --rollback can end. It needs no gateway, and removes nothing.
func (o *upgradeOptions) runForget(ctx context.Context) (*answer, error) {
	found := &answer{}
	dir := stateDir(o.app.Env)
	if err := o.takeOver(dir); err != nil {
		return found, err
	}
	p, err := o.forgettable(dir)
	if err != nil {
		return found, err
	}
	outcome := upgrade.Outcome{Name: p.Name, Workspace: p.Workspace, Gateway: p.Gateway, Outcome: upgrade.Forgotten, Step: p.Step, Backup: p.Backup, Log: p.Log}
	if p.Problem == nil {
		outcome.Left = p.Leftovers(ctx, o.looker(ctx, &p.Entry))
	}
	if err := o.confirm(ctx, questionForget(p, outcome.Left)); err != nil {
		return found, err
	}
	kept, err := p.Forget(dir, upgrade.NewRunID(time.Now()))
	if err != nil {
		return found, journalFailure(err)
	}
	outcome.Reason = "given up, nothing was removed; its record is kept in " + kept
	if p.MayBeEmpty() {
		outcome.Warnings = []string{o.halfDoneWarning(p)}
	}
	return o.answered(found, []upgrade.Outcome{outcome})
}

// takeOver makes records of what a build before the records has left.
func (o *upgradeOptions) takeOver(dir string) error {
	j, err := upgrade.OpenJournal(dir, time.Now)
	if err != nil {
		return journalFailure(err)
	}
	return j.Close()
}

// forgettable is the one upgrade of that name that has not ended and that nobody is at work on. A record that cannot be
// read is found by the key that a sandbox of that name has on a gateway that is known here.
func (o *upgradeOptions) forgettable(dir string) (*upgrade.Pending, error) {
	all, err := upgrade.Peek(dir)
	if err != nil {
		return nil, journalFailure(err)
	}
	named := slices.DeleteFunc(all, func(p upgrade.Pending) bool { return !o.forgets(p) })
	switch {
	case len(named) == 0:
		return nil, noneOf(o.forget)
	case len(named) > 1:
		return nil, usage("write workspace/name, or add -g GATEWAY", "%d upgrades of a sandbox %q have not ended", len(named), o.forget)
	case errors.Is(named[0].Problem, upgrade.ErrJournalBusy):
		return nil, journalFailure(named[0].Problem)
	}

	return &named[0], nil
}

func (o *upgradeOptions) forgets(p upgrade.Pending) bool {
	gateway := o.app.host.Gateway
	if p.Name != "" {
		return p.Answers(o.forget) && (gateway == "" || p.Gateway == gateway)
	}
	registry, _ := o.app.host.Registry() // what cannot be read names no gateway
	workspace, name := sandbox.ParseAddress(o.forget)
	return slices.ContainsFunc(o.app.host.Bindings(registry), func(b sandbox.Binding) bool {
		return p.Of(sandbox.Sandbox{Gateway: b.Gateway, Workspace: workspace, Name: name})
	})
}
