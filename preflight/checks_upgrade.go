package preflight

import (
	"context"
	"fmt"
	"strings"
)

// Unfinished is an upgrade of a sandbox that has not ended.
type Unfinished struct {
	Sandbox string // its address; "" where its record cannot be read
	Detail  string // at which step, or who is at work on it
	Busy    bool   // another run is at work on it
}

// unfinished names the sandboxes whose upgrade was left: what is there under their names may be half done.
func (in HostInput) unfinished(context.Context) Result {
	if in.Unfinished == nil {
		return skipping("not looked at")
	}
	all, err := in.Unfinished()
	if err != nil {
		return warned("the upgrade journal cannot be read: %v", err)
	}
	var said []string
	fix := ""
	for _, u := range all {
		switch {
		case u.Busy:
			said = append(said, u.Detail)
		case u.Sandbox == "":
			said = append(said, "an upgrade whose record cannot be read: "+u.Detail)
		default:
			said = append(said, fmt.Sprintf("the upgrade of sandbox %q is not finished (at %s)", u.Sandbox, u.Detail))
			fix = or(fix, "sandkeeper upgrade-sandboxes --resume --only "+u.Sandbox)
		}
	}

	if len(said) == 0 {
		return passed("none")
	}
	return warning(fix, strings.Join(said, "; ")+leftWays(fix))
}

func leftWays(fix string) string {
	if fix == "" {
		return ""
	}
	return ". --resume goes on, --rollback goes back, and --forget NAME gives one up"
}
