package bucket

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// Remove takes a backup of a view out of the bucket, all versions of it: first its manifest, so that it is not seen
// half. One that is locked is a *LockedError, and stays whole. What other backups share stays; Collect removes what
// none does.
func (s *Session) Remove(ctx context.Context, v *View, backup store.Backup) error {
	folder, err := v.folder(backup)
	if err != nil {
		return err
	}
	return s.b.removeVersions(ctx, path.Join(s.b.folderOf(folder), backup.ID, archive.ManifestName))
}

// Collect removes what no backup of the host needs any more: what removed backups had for themselves, packs that nobody
// shares, and what killed runs have left. Objects that are locked still are given; a later prune removes them.
func (s *Session) Collect(ctx context.Context) (locked []*LockedError, err error) {
	have, err := s.b.list(ctx, s.b.home())
	if err != nil {
		return nil, err
	}
	need, unsure, err := s.needed(ctx, have)
	if err != nil {
		return nil, err
	}
	all, err := s.b.versions(ctx, s.b.home())
	if err != nil {
		return nil, err
	}
	for key, versions := range all {
		rel := strings.TrimPrefix(key, s.b.home())
		if need[key] || need[strings.TrimSuffix(key, damagedSuffix)] || strings.HasPrefix(rel, busyFolder) || slices.ContainsFunc(unsure, func(folder string) bool { return strings.HasPrefix(key, folder) }) {
			continue
		}
		if err := s.b.removeAll(ctx, versions); err != nil {
			held, rest := splitLocked(err)
			locked = append(locked, held...)
			if rest != nil {
				return locked, rest
			}
		}
	}

	return locked, nil
}

// needed are the keys that backups of the host need, and the folders in which a manifest cannot be believed: nothing of
// these is removed.
func (s *Session) needed(ctx context.Context, have map[string]listed) (need map[string]bool, unsure []string, err error) {
	need = map[string]bool{}
	for key, o := range have {
		folder, id, ok := splitKey(strings.TrimPrefix(key, s.b.home()))
		if !ok || path.Base(key) != archive.ManifestName {
			continue
		}
		text, err := s.b.small(ctx, key, o.size)
		if err != nil {
			return nil, nil, err
		}
		m, err := archive.DecodeManifest(text, true)
		if err != nil {
			unsure = append(unsure, s.b.folderOf(folder))
			continue
		}
		for _, name := range []string{archive.ManifestName, verifiedName, drilledName} {
			need[path.Join(s.b.folderOf(folder), id, name)] = true
		}
		for _, o := range m.Objects {
			need[s.b.folderOf(folder)+o.Key] = true
		}
	}
	return need, unsure, nil
}

// splitLocked takes the locks out of a joined error.
func splitLocked(err error) (locked []*LockedError, rest error) {
	if one, ok := err.(*LockedError); ok { //nolint:errorlint // the leaves of what removeAll joins
		return []*LockedError{one}, nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil, err
	}
	for _, each := range joined.Unwrap() {
		held, other := splitLocked(each)
		locked, rest = append(locked, held...), errors.Join(rest, other)
	}
	return locked, rest
}
