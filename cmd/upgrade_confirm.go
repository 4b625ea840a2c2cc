package cmd

import (
	"fmt"
	"strings"

	"sandkeeper/internal/ui"
	"sandkeeper/upgrade"
)

// question names what will be rebuilt, and what each will lose by it.
func (o *upgradeOptions) question(ready []*upgrade.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sandbox(es) will be backed up, deleted and made again, one after the other:\n", len(ready))
	for _, e := range ready {
		fmt.Fprintf(&b, "  %s: %s\n", e.Address(), planText(e))
		if beside := e.Beside.String(); beside != "" {
			fmt.Fprintf(&b, "    given back afterwards: %s\n", ui.Clean(beside))
		}
		for _, warning := range e.Warnings {
			fmt.Fprintf(&b, "    note: %s\n", warning)
		}
	}

	b.WriteString("What lies outside of the sandbox home (/sandbox) is lost, and running processes end.\n" +
		"The history of its policy begins anew; the policy in force comes along.\n")
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
