package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

func (o *upgradeOptions) asksFor(p upgrade.Pending) bool {
	gateway := o.app.host.Gateway
	return p.Name == "" || (gateway == "" || p.Gateway == gateway) && (len(o.only) == 0 || slices.ContainsFunc(o.only, p.Answers))
}

// leftOf reports whether an upgrade of a sandbox of that name has not ended.
func (o *upgradeOptions) leftOf(name string) bool {
	return slices.ContainsFunc(o.pending, func(p upgrade.Pending) bool { return p.Name != "" && p.Answers(name) })
}

// nothingFree reports whether --only names nothing but what is held up: then nobody need be asked.
func (o *upgradeOptions) nothingFree() bool {
	return len(o.only) > 0 && !slices.ContainsFunc(o.only, func(name string) bool {
		return !slices.ContainsFunc(o.pending, func(p upgrade.Pending) bool { return p.Name != "" && p.Holds() && p.Answers(name) })
	})
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
	damaged := o.damaged()
	o.pending = slices.DeleteFunc(o.pending, func(p upgrade.Pending) bool { return p.Name == "" })
	missing := slices.IndexFunc(o.only, func(name string) bool { return !o.leftOf(name) })
	switch {
	case damaged != nil && (len(o.pending) == 0 || missing >= 0):
		return damaged
	case missing < 0, len(o.pending) == 0 && o.app.host.Gateway != "":
		return nil
	}

	return noneOf(o.only[missing])
}

// damaged names the records that cannot be read.
func (o *upgradeOptions) damaged() error {
	var problems []error
	for _, p := range o.pending {
		if errors.Is(p.Problem, upgrade.ErrJournalDamaged) {
			problems = append(problems, p.Problem)
		}
	}
	return errors.Join(problems...)
}

// noneOf is the failure to find the unfinished upgrade that is named.
func noneOf(name string) *Failure {
	f := notFound("no upgrade of a sandbox %q is unfinished", name)
	f.Hint = "sandkeeper upgrade-sandboxes --check names what is unfinished"
	return f
}

// entries are those that nobody is at work on.
func (o *upgradeOptions) entries() []upgrade.Entry {
	var entries []upgrade.Entry
	for _, p := range o.pending {
		if p.Problem == nil {
			entries = append(entries, p.Entry)
		}
	}
	return entries
}

func outcomesOf(pending []upgrade.Pending) (outcomes []upgrade.Outcome) {
	for _, p := range pending {
		outcomes = append(outcomes, p.Outcome())
	}
	return outcomes
}

func pointers(entries []upgrade.Entry) []*upgrade.Entry {
	chosen := make([]*upgrade.Entry, 0, len(entries))
	for i := range entries {
		chosen = append(chosen, &entries[i])
	}
	return chosen
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
