package restore

import (
	"errors"

	"sandkeeper/internal/journal"
)

// Drop forgets what the shelf has of restores into the containers of one sandbox, and removes the copies that they kept of
// what was there before. It is for who has made those containers, knows that nothing of their own was in them, and is
// done with them.
func Drop(shelf journal.Shelf[journal.Restore], gateway, workspace, name string) error {
	var problems []error
	for record, err := range shelf.Abandoned() {
		if err == nil && record.Value.Of(gateway, workspace, name) { // what is left alone is not known to be of this sandbox
			problems = append(problems, forget(record))
		}
	}
	return errors.Join(problems...)
}
