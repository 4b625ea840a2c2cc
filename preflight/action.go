package preflight

// Action is what the operator wanted to do, in the words of the refusal block, and the command to rerun afterwards.
type Action struct {
	Phrase  string // "failed before <Phrase>."
	Command string // what the last recovery step says to rerun
}

// Trusting is the action of the preflight command itself.
func Trusting() Action { return Action{Phrase: "trusting this host", Command: "sandkeeper preflight"} }

// BackingUp is the action of backup-all.
func BackingUp() Action {
	return Action{Phrase: "backing up registered sandboxes", Command: "sandkeeper backup-all"}
}

// Checking is the action of upgrade-sandboxes --check.
func Checking() Action {
	return Action{Phrase: "checking sandbox upgrade state", Command: "sandkeeper upgrade-sandboxes --check"}
}

// Upgrading is the action of upgrade-sandboxes, which begins with the same check.
func Upgrading() Action {
	return Action{Phrase: Checking().Phrase, Command: "sandkeeper upgrade-sandboxes"}
}
