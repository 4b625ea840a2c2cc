package store

import (
	"slices"

	"sandkeeper/backup/archive"
)

// BySeries groups backups by the sandbox that they are of; the order of the backups, and of the first ones of each
// group, stays. A damaged backup does not say whose it is: it is in the first group of its name.
func BySeries(backups []Backup) [][]Backup {
	var groups [][]Backup
	for _, b := range backups {
		same := func(group []Backup) bool {
			head := slices.IndexFunc(group, Backup.Whole)
			return group[0].Sandbox == b.Sandbox && (!b.Whole() || head < 0 || group[head].Series().Is(b.Series()))
		}
		at := slices.IndexFunc(groups, same)
		if at < 0 {
			groups, at = append(groups, nil), len(groups)
		}
		groups[at] = append(groups[at], b)
	}
	return groups
}

// Chosen are the whole backups of a group that Latest would choose from: copies of what a restore replaced only where
// there is nothing else.
func Chosen(group []Backup) []Backup {
	whole := slices.DeleteFunc(slices.Clone(group), func(b Backup) bool { return !b.Whole() })
	meant := slices.DeleteFunc(slices.Clone(whole), func(b Backup) bool { return b.Manifest.Label == archive.LabelBeforeRestore })
	if len(meant) > 0 {
		return meant
	}
	return whole
}
