package cmd

import (
	"time"

	"sandkeeper/backup/drill"
	"sandkeeper/internal/ui"
)

// tellDrills names the containers that killed drills have left: a home is in each, credentials included.
func (l *leftovers) tellDrills(dir string) {
	left, err := drill.Left(dir)
	if err != nil {
		l.term.warn("the record of a drill is left alone: %v", err)
	}
	for _, each := range left {
		l.term.warn("a drill that was begun %s ago did not end, and container %q may hold the home that it restored; the next one takes it away: sandkeeper backups drill (where its engine is gone for good, remove %s)",
			ui.Age(time.Since(each.At)), each.Name, each.Record)
	}
}
