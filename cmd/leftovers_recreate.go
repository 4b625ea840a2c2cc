package cmd

import (
	"time"

	"sandkeeper/internal/ui"
	"sandkeeper/recreate"
)

// tellRecreations names the sandboxes that a killed run has left half made.
func (l *leftovers) tellRecreations(state string) {
	all, err := recreate.Unfinished(state).All()
	if err != nil {
		l.term.warn("the records of sandboxes that are half made cannot be read: %v", err)
		return
	}
	for _, seen := range all {
		switch {
		case seen.Owner != nil:
			l.term.note("sandbox %q is being made again: %v", seen.Value.Address(), seen.Owner)
		case seen.Err != nil:
			l.term.warn("the record of a sandbox that is half made is left alone: %v", seen.Err)
		default:
			l.term.warn("sandbox %q is half made (at %s, begun %s ago); to go on: %s",
				seen.Value.Address(), seen.Value.Step, ui.Age(time.Since(seen.Value.Begun)), seen.Value.Command())
		}
	}
}
