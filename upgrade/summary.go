package upgrade

import "sandkeeper/sandbox"

// OutcomeWord is what became of one sandbox; the values are part of the JSON contract.
type OutcomeWord string

// The outcomes.
const (
	Upgraded   OutcomeWord = "upgraded"
	Failed     OutcomeWord = "failed"      // not upgraded; Reason says what there is now
	RolledBack OutcomeWord = "rolled_back" // not upgraded, and the old one is back
	Skipped    OutcomeWord = "skipped"     // not looked into: unknown, orphaned
	UpToDate   OutcomeWord = "current"
	Forgotten  OutcomeWord = "forgotten" // given up as asked; Left says what is where
)

// Outcome is one sandbox's part of a Summary. Step is where it ended; Backup and RollbackImage are what is left of the
// way.
type Outcome struct {
	Name          string      `json:"name"`
	Workspace     string      `json:"workspace,omitempty"`
	Outcome       OutcomeWord `json:"outcome"`
	Step          Step        `json:"step"`
	Reason        string      `json:"reason"`
	Backup        string      `json:"backup"`
	RollbackImage string      `json:"rollbackImage"`
	Gateway       string      `json:"gateway,omitempty"`
	Unfinished    bool        `json:"unfinished,omitempty"` // --resume or --rollback is needed
	Held          bool        `json:"held,omitempty"`       // not begun: an earlier upgrade of it has not ended
	Busy          bool        `json:"-"`                    // another process is at work on it, or with the backups, and nothing else is in the way
	Problems      []Problem   `json:"problems,omitempty"`   // preconditions that do not hold
	Pull          string      `json:"pull,omitempty"`       // digest of the new image in its registry, when it was not on this host
	LeftOut       []string    `json:"leftOut,omitempty"`    // credentials that were not in its backup, to be entered again
	Log           string      `json:"log,omitempty"`
	Left          []Leftover  `json:"left,omitempty"` // what an upgrade that was given up leaves behind
	Warnings      []string    `json:"warnings,omitempty"`
}

// Address is how people write the sandbox.
func (o Outcome) Address() string { return sandbox.Address(o.Workspace, o.Name) }

// UpgradeTotals count outcomes; their sum is the number of sandboxes.
type UpgradeTotals struct {
	Upgraded   int `json:"upgraded"`
	Failed     int `json:"failed"`
	RolledBack int `json:"rolledBack"`
	Skipped    int `json:"skipped"`
	Current    int `json:"current"`
	Forgotten  int `json:"forgotten,omitempty"`
}

// Summary is the result of a mutating upgrade-sandboxes.
type Summary struct {
	Totals    UpgradeTotals `json:"totals"`
	Sandboxes []Outcome     `json:"sandboxes"`
	Warnings  []string      `json:"warnings,omitempty"`
}

// Summarise counts outcomes.
func Summarise(outcomes []Outcome) Summary {
	s := Summary{Sandboxes: outcomes}
	if outcomes == nil {
		s.Sandboxes = []Outcome{}
	}
	for _, o := range outcomes {
		switch o.Outcome {
		case Upgraded:
			s.Totals.Upgraded++
		case RolledBack:
			s.Totals.RolledBack++
		case Skipped:
			s.Totals.Skipped++
		case UpToDate:
			s.Totals.Current++
		case Forgotten:
			s.Totals.Forgotten++
		default:
			s.Totals.Failed++
		}
	}
	return s
}

func (j *job) outcome(word OutcomeWord, at Step, reason string) Outcome {
	o := Outcome{
		Name: j.Name, Workspace: j.Workspace, Gateway: j.Gateway, Outcome: word, Step: at, Reason: reason, Backup: j.Backup, RollbackImage: j.RollbackImage,
		Pull: j.Pull, Log: j.Log, Warnings: j.Warnings,
	}
	if word == Upgraded {
		o.LeftOut = j.LeftOut
	}
	return o
}
