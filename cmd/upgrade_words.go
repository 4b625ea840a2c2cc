package cmd

import (
	"fmt"
	"strings"

	"sandkeeper/internal/ui"
	"sandkeeper/upgrade"
	"sandkeeper/upgrade/classify"
)

// renderCheck prints the sandboxes, worst first, each with what is behind about it.
func renderCheck(term *terminal, s classify.Summary) {
	if len(s.Sandboxes) == 0 {
		term.printf("No sandboxes found. Nothing to upgrade.")
		return
	}
	table := term.table()
	for _, state := range []classify.State{classify.Orphaned, classify.Unknown, classify.Stale, classify.Current} {
		for _, c := range s.Sandboxes {
			if c.State == state {
				table.Row(string(c.State), c.Address(), runningWord(c.Running), reasonsText(c))
			}
		}
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
	for _, warning := range s.Warnings {
		term.printf("warning: %s", warning)
	}
	t := s.Totals
	term.printf("Upgrade check: %d current, %d stale, %d unknown, %d orphaned", t.Current, t.Stale, t.Unknown, t.Orphaned)
	switch {
	case t.Stale > 0:
		term.printf("%s To rebuild the stale ones: sandkeeper upgrade-sandboxes", term.nothing("changed"))
	case s.NeedsAttention():
		term.printf("%s Unknown and orphaned sandboxes are never rebuilt by themselves.", term.nothing("changed"))
	}
}

func runningWord(running bool) string {
	if running {
		return "running"
	}
	return "stopped"
}

func reasonsText(c classify.Checked) string {
	var parts []string
	for _, r := range c.Reasons {
		text := r.Code
		if r.Current != "" || r.Expected != "" {
			text = fmt.Sprintf("%s %s, expected %s", r.Code, orDash(r.Current), orDash(r.Expected))
		}
		if r.Detail != "" {
			text += " (" + r.Detail + ")"
		}
		parts = append(parts, text)
	}

	if c.Detail != "" {
		parts = append(parts, c.Detail)
	}
	return strings.Join(parts, "; ")
}

// renderUpgrade prints what became of each sandbox, worst first.
func renderUpgrade(term *terminal, s upgrade.Summary, rollback bool) {
	if len(s.Sandboxes) == 0 {
		term.printf("No sandboxes found. Nothing to upgrade.")
		return
	}
	table := term.table()
	for _, word := range []upgrade.OutcomeWord{upgrade.Forgotten, upgrade.Failed, upgrade.RolledBack, upgrade.Skipped, upgrade.Upgraded, upgrade.UpToDate} {
		for _, o := range s.Sandboxes {
			if o.Outcome == word {
				table.Row(string(o.Outcome), o.Address(), outcomeText(o))
			}
		}
	}

	table.Print(term.Out, func(first, line string) string {
		return strings.Replace(line, first, term.paintOut(statusColor(first), first), 1)
	})
	for _, o := range s.Sandboxes {
		renderRemarks(term, o)
	}
	t := s.Totals
	if t.Forgotten > 0 {
		return
	}
	if rollback {
		term.printf("Rollback: %d rolled back, %d upgraded, %d failed", t.RolledBack, t.Upgraded, t.Failed)
		return
	}
	term.printf("Upgrade: %d upgraded, %d failed, %d rolled back, %d skipped, %d current", t.Upgraded, t.Failed, t.RolledBack, t.Skipped, t.Current)
}

func outcomeText(o upgrade.Outcome) string {
	var parts []string
	if o.Outcome == upgrade.Failed || o.Outcome == upgrade.RolledBack {
		parts = append(parts, "at "+string(o.Step))
	}
	if o.Reason != "" {
		parts = append(parts, o.Reason)
	}
	text := strings.Join(parts, ": ")
	if o.Backup != "" {
		text = strings.TrimPrefix(text+"; backup "+o.Backup, "; ")
	}
	return text
}

// renderRemarks prints what the operator has to do, or should know, about one sandbox.
func renderRemarks(term *terminal, o upgrade.Outcome) {
	for _, problem := range o.Problems {
		if problem.Fix != "" {
			term.printf("%s: %s; %s", o.Address(), problem.Detail, problem.Fix)
		}
	}

	if len(o.LeftOut) > 0 {
		term.printf("%s: enter these credentials again: %s", o.Address(), strings.Join(o.LeftOut, ", "))
	}
	if o.Outcome == upgrade.RolledBack && o.RollbackImage != "" {
		term.printf("%s: it runs from %s now; keep that image until it is upgraded", o.Address(), o.RollbackImage)
	}
	for _, l := range o.Left {
		term.printf("%s: left behind: %s", o.Address(), leftText(l))
	}
	if o.Log != "" && o.Outcome != upgrade.Forgotten {
		term.printf("%s: what nemoclaw printed is in %s", o.Address(), o.Log)
	}
	for _, warning := range o.Warnings {
		term.printf("%s: warning: %s", o.Address(), warning)
	}
}

// question names what will be rebuilt, and what each will lose by it.
func (o *upgradeOptions) question(ready []*upgrade.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s will be backed up, deleted and made again, one after the other:\n", sandboxCount(len(ready)))
	for _, e := range ready {
		fmt.Fprintf(&b, "  %s: %s\n", e.Address(), planText(e))
		if beside := e.Beside.String(); beside != "" {
			fmt.Fprintf(&b, "    given back afterwards: %s\n", ui.Clean(beside))
		}
		for _, warning := range e.Warnings {
			fmt.Fprintf(&b, "    note: %s\n", warning)
		}
	}

	b.WriteString("What lies outside of a sandbox's home is lost, and running processes end.\n" +
		"The policy in force comes along; the history of policies begins anew.\n")
	return strings.TrimRight(b.String(), "\n")
}

func planText(e *upgrade.Entry) string {
	state := "stopped, and left so"
	if e.Running {
		state = "running"
	}
	if e.Way == upgrade.ByNemoClaw {
		return fmt.Sprintf("%s; by nemoclaw %s rebuild --yes, which carries over the agent's state alone: what else is in its home will be in the backup only", state, e.Name)
	}
	image := e.Image
	if image == "" {
		image = "the gateway's default image"
	}
	if e.Pull != "" {
		image += ", which is not on this host and is pulled first (" + e.Pull + ")"
	}
	return fmt.Sprintf("%s; from %s", state, ui.Clean(image))
}

// questionUnfinished names what was left, and what will become of it.
func (o *upgradeOptions) questionUnfinished(chosen []*upgrade.Entry) string {
	var b strings.Builder
	for _, e := range chosen {
		verb := "will be finished"
		if o.rollback || e.RollingBack() {
			verb = "will be taken back to what it was; what was made in its place since will be deleted"
		}
		fmt.Fprintf(&b, "The upgrade of sandbox %q was left at %s: it %s.\n", e.Address(), e.Step, verb)
	}
	return strings.TrimRight(b.String(), "\n")
}

// sayRefused tells, before the question, which sandboxes will not be rebuilt: the answer may depend on it.
func (o *upgradeOptions) sayRefused(refused []upgrade.Outcome) {
	for _, outcome := range refused {
		o.app.term.warn("sandbox %q cannot be rebuilt: %s", outcome.Address(), outcome.Reason)
	}
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
func (o *upgradeOptions) halfDoneWarning(p *upgrade.Pending) string {
	said := "what is there under its name may not have its home whole, and the next backup-all takes it for its newest state"
	if p.Backup != "" {
		said += fmt.Sprintf("; `sandkeeper restore %s --backup %s` puts its home back", p.Address(), p.Backup+o.storeFlags(p.BackupRoot, p.Identity))
	}
	return said
}
