package upgrade

import "errors"

// Unfinished are all upgrades that were left, which are this process's own from now on, and what is wrong with the others.
func (j *Journal) Unfinished() ([]Entry, error) {
	pending, err := j.pending()
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, p := range pending {
		problems = append(problems, p.Problem)
	}
	entries, _ := j.Adopt(pending)
	return entries, errors.Join(problems...)
}

// peeked are the upgrades that a reader sees, and what is wrong with the others.
func peeked(dir string) (entries []Entry, err error) {
	pending, err := Peek(dir)
	problems := []error{err}
	for _, p := range pending {
		if p.Problem == nil {
			entries = append(entries, p.Entry)
		}
		problems = append(problems, p.Problem)
	}
	return sorted(entries), errors.Join(problems...)
}
