package cmd

import (
	"errors"
	"slices"

	"sandkeeper/migrate"
)

// choose finds the set.
func (o *migrateImportOptions) choose(root, target string) (*migrate.Set, error) {
	name := o.set
	if name == "" {
		sets, err := migrate.Sets(root)
		if err != nil {
			return nil, err
		}
		if name = target; !slices.Contains(sets, target) && len(sets) == 1 {
			name = sets[0]
		}
	}

	set, err := migrate.ReadSet(root, name)
	if errors.Is(err, migrate.ErrNoSet) {
		return nil, &Failure{
			Code: ExitNotFound, Kind: "not_found", Err: err,
			Hint: "sandkeeper migrate export makes one while the gateway of 0.0.x runs; --set NAME and --backup-dir say where another one is",
		}
	}

	return set, setFailure(err)
}

// setFailure says what to do about a set that is there and cannot be used. An export does not write over it: it has
// which sandboxes ran, and what is kept of those that are gone.
func setFailure(err error) error {
	if !errors.Is(err, migrate.ErrSetUnusable) {
		return err
	}
	return &Failure{
		Code: ExitDamaged, Kind: "verification_failed", Err: err,
		Hint: "nothing was stopped, saved or made. Put that file back as it was; or move it away and export anew: what an earlier export has stopped then counts as stopped before",
	}
}

// checkNames refuses a name that is nobody's, and two sandboxes of one name.
func (o *migrateImportOptions) checkNames(set *migrate.Set) error {
	taken := map[string]string{}
	known := map[string]bool{}
	for _, m := range set.Sandboxes {
		known[m.Address()] = true
		name := m.Name
		if renamed := o.rename[m.Address()]; renamed != "" {
			name = renamed
		}
		if other := taken[m.Workspace+"/"+name]; other != "" {
			return usage("give each another name", "--rename gives %q and %q one name", other, m.Address())
		}
		taken[m.Workspace+"/"+name] = m.Address()
	}

	for old := range o.rename {
		if !known[old] {
			return usage("sandkeeper migrate plan shows the names", "--rename: there is no sandbox %q in the set", old)
		}
	}

	return nil
}
