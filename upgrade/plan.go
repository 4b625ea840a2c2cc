package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/driver"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade/classify"
)

// Target is a stale sandbox that can be rebuilt, and how.
type Target struct {
	Sandbox sandbox.Sandbox
	Checked classify.Checked
	Way     Way
}

// Plan chooses what to rebuild of the sandboxes that were checked: the stale ones, and of those the ones that something
// newer is known for. The others have their outcome already, those that an earlier upgrade holds up among them. checked
// and all are in the same order.
func Plan(checked []classify.Checked, all []sandbox.Sandbox, pending []Pending, nemoclaw bool) (targets []Target, others []Outcome) {
	pending = slices.DeleteFunc(slices.Clone(pending), func(p Pending) bool { return !p.Holds() })
	for i, c := range checked {
		if at := slices.IndexFunc(pending, func(p Pending) bool { return p.Of(all[i]) }); at >= 0 {
			pending[at].Name, pending[at].Workspace, pending[at].Gateway = c.Name, c.Workspace, c.Gateway // a damaged one says nothing
			others = append(others, pending[at].Outcome())
			pending = slices.Delete(pending, at, at+1)
			continue
		}

		o := Outcome{Name: c.Name, Workspace: c.Workspace, Gateway: c.Gateway, Outcome: Skipped, Step: StepPlanned, Reason: because(c)}
		switch c.State {
		case classify.Current:
			o.Outcome = UpToDate
		case classify.Unknown:
			o.Reason = "unknown, and never rebuilt on a guess: " + o.Reason
		case classify.Orphaned:
			o.Reason = "orphaned: there is nothing to rebuild"
		case classify.Stale:
			way, why := wayOf(c, all[i], nemoclaw)
			if of := rehearsalOf(all[i]); of != "" {
				o.Reason = fmt.Sprintf("it is left of a rehearsal: sandkeeper upgrade-sandboxes --rollback --only %s removes it", sandbox.Address(all[i].Workspace, of))
				break
			}
			if why == "" {
				targets = append(targets, Target{Sandbox: all[i], Checked: c, Way: way})
				continue
			}
			o.Outcome, o.Reason = Failed, fmt.Sprintf("stale (%s), but it cannot be rebuilt: %s", o.Reason, why)
		}

		others = append(others, o)
	}

	for _, p := range pending { // its sandbox is not there: deleted, and not made again yet
		if p.Name != "" {
			others = append(others, p.Outcome())
		}
	}
	return targets, others
}

// rehearsalOf is the name of the sandbox for whose rehearsal sb was made; "" for any other sandbox.
func rehearsalOf(sb sandbox.Sandbox) string {
	if sb.Container == nil {
		return ""
	}
	return sb.Container.Labels[driver.LabelRehearsal]
}

// wayOf is how a stale sandbox is rebuilt, or why it cannot be. What NemoClaw manages, NemoClaw rebuilds. Without it, a
// new container helps where the image or the supervisor is behind; another agent, or another build of NemoClaw's image,
// it would not bring.
func wayOf(c classify.Checked, sb sandbox.Sandbox, nemoclaw bool) (Way, string) {
	if sb.Row != nil && nemoclaw {
		return ByNemoClaw, ""
	}
	for _, r := range c.Reasons {
		if r.Code == classify.CodeImage || r.Code == classify.CodeSupervisor {
			return ByRecipe, ""
		}
	}
	return "", "no newer image is known for it, and there is no nemoclaw command on this host to build one"
}

func because(c classify.Checked) string {
	var parts []string
	for _, r := range c.Reasons {
		text := r.Code
		if r.Detail != "" {
			text += ": " + r.Detail
		} else if r.Current != "" || r.Expected != "" {
			text += fmt.Sprintf(" %s, expected %s", r.Current, r.Expected)
		}

		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
