package cmd

// ExitCode is a promise to scripts. Codes are only ever added; an unknown code means failure.
type ExitCode int

// The exit codes of docs/design.md 4.1.
const (
	ExitOK          ExitCode = 0
	ExitRefused     ExitCode = 1 // refused by the schema preflight, or failed as a whole
	ExitUsage       ExitCode = 2
	ExitPartial     ExitCode = 3
	ExitFound       ExitCode = 4 // --check found sandboxes to upgrade, unknown or orphaned
	ExitUnreachable ExitCode = 5 // gateway unreachable, not registered, or not shown to agree with the CLI
	ExitOverdue     ExitCode = 6 // --max-age: a sandbox has no verified backup that young
	ExitNotFound    ExitCode = 10
	ExitLocked      ExitCode = 11
	ExitDamaged     ExitCode = 12
	ExitInterrupted ExitCode = 130
)

// exitCodes are all of them, in order.
func exitCodes() []ExitCode {
	return []ExitCode{
		ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitFound, ExitUnreachable, ExitOverdue, ExitNotFound, ExitLocked, ExitDamaged, ExitInterrupted,
	}
}

// exitMeaning is the published sentence of each code; help texts and a test are made from it.
func exitMeaning(code ExitCode) string {
	switch code {
	case ExitOK:
		return "done, or nothing to do"
	case ExitRefused:
		return "refused by the schema preflight (drift or mismatch), or failed as a whole"
	case ExitUsage:
		return "usage: the command line or a setting is wrong"
	case ExitPartial:
		return "partial: some sandboxes done, others failed (or skipped under --strict)"
	case ExitFound:
		return "--check found sandboxes to upgrade, unknown or orphaned"
	case ExitUnreachable:
		return "gateway unreachable, not registered, or not shown to agree with the CLI (verdict unverified)"
	case ExitOverdue:
		return "--max-age of status and fleet status: a sandbox has no verified backup that young"
	case ExitNotFound:
		return "no such sandbox, backup or store"
	case ExitLocked:
		return "locked by another run"
	case ExitDamaged:
		return "verification failed: backup damaged or incomplete"
	case ExitInterrupted:
		return "interrupted"
	}
	return "failure"
}
