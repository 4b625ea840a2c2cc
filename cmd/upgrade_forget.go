package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

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
		outcome.Left = p.Leftovers(ctx, o.looker(ctx))
	}
	if err := o.confirm(ctx, questionForget(p, outcome.Left)); err != nil {
		return found, err
	}
	kept, err := p.Forget(dir, newRunID(time.Now(), fourHex()))
	if err != nil {
		return found, journalFailure(err)
	}
	outcome.Reason = "given up, nothing was removed; its record is kept in " + kept
	if p.MayBeEmpty() {
		outcome.Warnings = []string{halfDoneWarning(p)}
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

// looker is the container engine; nil where none answers.
func (o *upgradeOptions) looker(ctx context.Context) upgrade.Looker {
	eng, _ := o.app.host.Engines(ctx).Main()
	if eng == nil {
		return nil
	}
	return eng
}

func questionForget(p *upgrade.Pending, left []upgrade.Leftover) string {
	var b strings.Builder
	if p.Problem != nil {
		fmt.Fprintf(&b, "The record of an upgrade cannot be read: %v.\n", p.Problem)
	} else {
		fmt.Fprintf(&b, "The upgrade of sandbox %q was left at %s. Once it is given up, neither --resume nor --rollback can end it.\n", p.Address(), p.Step)
	}

	b.WriteString("Nothing is removed. ")
	if len(left) > 0 {
		b.WriteString("What it leaves behind:\n")
	}
	for _, l := range left {
		fmt.Fprintf(&b, "  %s\n", leftText(l))
	}
	return strings.TrimRight(b.String(), " \n")
}

func leftText(l upgrade.Leftover) string {
	return fmt.Sprintf("%s %s (%s)", l.Kind, ui.Clean(l.Name), ui.Clean(l.Detail))
}

// halfDoneWarning: backup-all passes over a home that is half done only as long as the journal says so.
func halfDoneWarning(p *upgrade.Pending) string {
	said := "what is there under its name may not have its home whole, and the next backup-all takes it for its newest state"
	if p.Backup != "" {
		said += fmt.Sprintf("; `sandkeeper restore %s --backup %s` puts its home back", p.Address(), p.Backup)
	}
	return said
}
