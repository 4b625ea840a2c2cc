package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// needs are the blocks that the backups in a folder have of other backups' packs.
type needs struct {
	runs  map[string][]archive.Run     // by pack
	keys  map[string]*archive.StoreKey // likewise, of encrypted packs
	whole map[string]bool              // encrypted packs of which nobody here can read what is needed: all of it may be
	all   bool                         // some backup does not say what it needs, so that every block may be needed
	ids   archive.Identities           // what the indexes were opened with
}

// of reports whether anything of a pack is needed.
func (n needs) of(id string) bool { return n.all || n.whole[id] || len(n.runs[id]) > 0 }

// needsIn reads what the backups in a folder need, but for the one of that id. A backup that is damaged may need
// anything: what it has is for people to look at.
func (s *Store) needsIn(folder, but string, ids archive.Identities) (needs, error) {
	need := needs{runs: map[string][]archive.Run{}, keys: map[string]*archive.StoreKey{}, whole: map[string]bool{}, ids: ids}
	backups, err := s.ids(filepath.Base(folder))
	if err != nil {
		return need, err
	}
	for _, id := range backups {
		if id != but {
			need.add(Backup{ID: id, Dir: filepath.Join(folder, id)})
		}
	}

	return need, nil
}

// add takes in what one backup needs.
func (n *needs) add(b Backup) {
	m, err := loadManifest(b, n.ids, true)
	if m != nil && errors.Is(err, archive.ErrNoIdentity) {
		for _, pack := range m.Packs {
			n.whole[pack] = true
		}
		return
	}

	if err != nil {
		n.all = true
		return
	}
	if m.Blocks == nil {
		return
	}
	for _, r := range m.Index.Runs {
		if r.Pack != b.ID {
			n.runs[r.Pack] = append(n.runs[r.Pack], r)
			n.keys[r.Pack] = m.Index.Key
		}
	}
}

// retire keeps those blocks of b, which is about to be removed, that other backups need: the whole pack under a second
// name, or, where less than half of it is needed, a new one with what is. What is kept is on the disk before anything
// goes.
func (s *Store) retire(ctx context.Context, b Backup, ids archive.Identities) error {
	m, err := readManifest(b, true)
	if err == nil && m.Blocks == nil {
		return nil
	}
	folder := filepath.Dir(b.Dir)
	sealed := disk.MustBeAbsent(filepath.Join(b.Dir, archive.NoteName)) != nil
	kept := filepath.Join(folder, archive.Retired(b.ID))
	if sealed {
		kept = filepath.Join(folder, archive.RetiredNote(b.ID))
	}
	if _, err := os.Lstat(kept); err == nil {
		return s.disk.SyncDir(filepath.Dir(kept)) // the others use that one already; a removal that was cut off may have made it
	}
	need, err := s.needsIn(folder, b.ID, ids)
	if err != nil || !need.of(b.ID) {
		return err
	}
	if err := s.makeFolder(filepath.Dir(kept)); err != nil {
		return err
	}
	if sealed {
		return s.retireSealed(ctx, b, need)
	}
	from, err := findPack(b.Dir)
	if err != nil || from == "" {
		return err
	}
	if done, err := s.shrink(ctx, from, kept, b.ID, need); done || err != nil {
		return err
	}
	return s.keepAs(from, kept)
}

// keepAs gives a file a second name, or copies it where files cannot have two.
func (s *Store) keepAs(from, kept string) error {
	err := s.disk.Link(from, kept)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EMLINK) {
		return s.copyPack(from, kept)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep %s: %w", kept, err)
	}
	return s.disk.SyncDir(filepath.Dir(kept))
}

// findPack is the pack in the folder of a backup; "" for none.
func findPack(dir string) (string, error) {
	for _, name := range []string{archive.ArchiveName, archive.PackName, archive.EncryptedName, archive.EncryptedPackName} {
		path := filepath.Join(dir, name)
		_, err := os.Lstat(path)
		if err == nil || disk.IgnoreMissing(err) != nil {
			return path, err
		}
	}
	return "", nil
}

// shrink writes what is needed of the pack at from to kept, if that is less than half of it. A pack that is damaged, or
// for which there is no room, stays as it is: it is whole at from, which may be kept itself.
func (s *Store) shrink(ctx context.Context, from, kept, id string, need needs) (done bool, err error) {
	if need.all {
		return false, nil
	}
	pack, err := archive.Opener{}.At(from, id)
	if err != nil {
		return false, nil
	}
	defer pack.Close()
	alive := archive.AliveIn(pack, need.runs[id])
	if 2*alive.Bytes >= alive.Total {
		return false, nil
	}
	err = disk.StreamFile(s.disk, filepath.Dir(kept), filepath.Base(kept), func(w io.Writer) error {
		_, err := archive.Repack(ctx, pack, alive, w)
		return err
	})
	if _, there := os.Lstat(kept); mayStay(err) && (from == kept || errors.Is(there, fs.ErrNotExist)) {
		return false, nil
	}
	return err == nil, err
}

// mayStay reports whether a pack that could not be rewritten can stay as it is: it is damaged, or there is no room.
func mayStay(err error) bool {
	_, damaged := errors.AsType[*archive.DamageError](err)
	return damaged || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// copyPack keeps a pack where files cannot have two names.
func (s *Store) copyPack(from, kept string) error {
	f, err := disk.OpenPlain(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return disk.StreamFile(s.disk, filepath.Dir(kept), filepath.Base(kept), func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// Collect takes out of the packs of removed backups what no backup needs any more, and counts the encrypted packs that
// stay whole because no identity tells what of them is needed. It wants the store's Lock.
func (s *Store) Collect(ctx context.Context, ids archive.Identities) (unread int, err error) {
	folders, err := filepath.Glob(filepath.Join(escapeGlob(s.root), "*", archive.RetiredFolder))
	if err != nil {
		return 0, err
	}
	var problems error
	for _, dir := range folders {
		n, err := s.collect(ctx, filepath.Dir(dir), ids)
		unread, problems = unread+n, errors.Join(problems, err)
	}
	return unread, problems
}

func (s *Store) collect(ctx context.Context, folder string, ids archive.Identities) (unread int, err error) {
	plain, err := retiredIn(folder, false)
	if err != nil {
		return 0, err
	}
	sealed, err := sealedIn(folder)
	if err != nil || len(plain)+len(sealed) == 0 {
		return 0, err
	}
	need, err := s.needsIn(folder, "", ids)
	if err != nil || need.all {
		return 0, err
	}
	for _, id := range plain {
		kept := filepath.Join(folder, archive.Retired(id))
		if len(need.runs[id]) == 0 {
			err = disk.IgnoreMissing(s.disk.Remove(kept))
		} else {
			_, err = s.shrink(ctx, kept, kept, id, need)
		}

		if err != nil {
			return unread, fmt.Errorf("free %s: %w", strings.TrimPrefix(kept, s.root+"/"), err)
		}
	}

	for id, files := range sealed {
		if need.whole[id] {
			unread++
		}
		if err := s.collectSealed(ctx, keptPack{folder: folder, id: id}, files, need); err != nil {
			return unread, fmt.Errorf("free what is kept of backup %s: %w", id, err)
		}
	}

	return unread, s.disk.SyncDir(filepath.Join(folder, archive.RetiredFolder))
}
