package restore

import "errors"

// DropRestores forgets what the journal in dir has of restores into a sandbox's containers, and removes the copies that they kept of
// what was there before. It is for who has made those containers, knows that nothing of their own was in them, and is done with them.
func DropRestores(dir, sandbox string) error {
	j := restoreJournal{dir}
	entries, err := j.list()
	problems := []error{err}
	for _, entry := range entries {
		if entry.Sandbox == sandbox {
			problems = append(problems, j.forget(entry))
		}
	}
	return errors.Join(problems...)
}
