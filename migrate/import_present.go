package migrate

import (
	"context"
	"fmt"
	"slices"

	"sandkeeper/internal/text"
	"sandkeeper/lifecycle"
)

// compare says of a sandbox that an earlier import has made where its old container has something newer: then nobody
// may remove that yet.
func (i *Importer) compare(ctx context.Context, m Member, known imported, outcome *ImportedMember) {
	if outcome.Status != Present {
		return
	}
	err := i.StillRuns(ctx, m)
	switch {
	case err != nil:
		outcome.Reason = fmt.Sprintf("an earlier import made it, but keep its old container: %v", err)
	case known.Backup != m.Backup && !known.Started.Equal(m.Started):
		outcome.Reason = fmt.Sprintf("an earlier import made it from backup %s, but its old container ran again since: backup %s has what that wrote, and is not in it",
			known.Backup, m.Backup)
	}
}

// madeAs refuses a member that an earlier import has made under another name, and that is there: two agents would work
// with one identity.
func (i *Importer) madeAs(m Member, there []lifecycle.Record) error {
	all, err := imports(i.State).All()
	if err != nil {
		return err
	}
	for _, seen := range all {
		known := seen.Value
		if seen.Err != nil || known.Name == i.name(m) || !known.of(i, m) {
			continue
		}
		listed := slices.ContainsFunc(there, func(r lifecycle.Record) bool { return r.ID != "" && r.ID == known.NewID })
		if listed || i.halfMade(known) {
			return fmt.Errorf("an earlier import has made it as %q, and two agents would work with one identity: repeat the import with --rename %s",
				known.Name, text.ShellWord(m.Address()+"="+known.Name))
		}
	}
	return nil
}

// of reports whether a record is of that member, on the gateway of this import.
func (i imported) of(by *Importer, m Member) bool {
	return m.ID != "" && i.OldID == m.ID && i.From == by.Set.Gateway && i.Gateway == by.Gateway && i.Workspace == m.Workspace
}
