package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/sandbox"
	"sandkeeper/upgrade/classify"
)

// Target is a stale sandbox that can be rebuilt, and how.
type Target struct {
	Sandbox sandbox.Sandbox
	Checked classify.Checked
	Way     Way
}

// Plan chooses what to rebuild of the sandboxes that were checked: the stale ones, and of those the ones that something newer is known
// for. The others have their outcome already. checked and all are in the same order.
func Plan(checked []classify.Checked, all []sandbox.Sandbox, nemoclaw bool) (targets []Target, others []Outcome) {
	for i, c := range checked {
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
			if why == "" {
				targets = append(targets, Target{Sandbox: all[i], Checked: c, Way: way})
				continue
			}
			o.Outcome, o.Reason = Failed, fmt.Sprintf("stale (%s), but it cannot be rebuilt: %s", o.Reason, why)
		}
		others = append(others, o)
	}
	return targets, others
}

// wayOf is how a stale sandbox is rebuilt, or why it cannot be. What NemoClaw manages, NemoClaw rebuilds. Without it, a new container
// helps where the image or the supervisor is behind; another agent, or another build of NemoClaw's image, it would not bring.
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

// Chosen are the entries with one of the names; no names choose all. A name that chooses none is returned as unknown.
func Chosen(entries []Entry, names []string) (chosen []*Entry, unknown string) {
	for i := range entries {
		if len(names) == 0 || slices.ContainsFunc(names, entries[i].Answers) {
			chosen = append(chosen, &entries[i])
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(e *Entry) bool { return e.Answers(name) }) {
			return nil, name
		}
	}
	return chosen, ""
}

// Unfinished are the entries whose sandboxes were touched. They are this process's own from now on, and read again since. The others are
// struck off the journal: nothing was done to them.
func (j *Journal) Unfinished() ([]Entry, error) {
	entries, err := j.Entries()
	if err != nil {
		return nil, err
	}
	var touched []Entry
	for i := range entries {
		record, err := j.take(&entries[i])
		switch {
		case err != nil:
			return nil, err
		case record.Found && !record.Value.Untouched():
			touched = append(touched, record.Value)
			continue
		}
		if err := j.Forget(&entries[i]); err != nil {
			return nil, err
		}
	}
	return touched, nil
}
