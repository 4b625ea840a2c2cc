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
	runs map[string][]archive.Run // by pack
	all  bool                     // some backup does not say what it needs, so that every block may be needed
}

// needsIn reads what the backups in a folder need, but for the one of that id. A backup that is damaged may need anything: what it has
// is for people to look at.
func (s *Store) needsIn(folder, but string) (needs, error) {
	need := needs{runs: map[string][]archive.Run{}}
	ids, err := s.ids(filepath.Base(folder))
	if err != nil {
		return need, err
	}
	for _, id := range ids {
		if id == but {
			continue
		}
		m, err := loadManifest(Backup{ID: id, Dir: filepath.Join(folder, id)}, true)
		if err != nil {
			need.all = true
			continue
		}
		if m.Blocks == nil {
			continue
		}
		for _, r := range m.Index.Runs {
			if r.Pack != id {
				need.runs[r.Pack] = append(need.runs[r.Pack], r)
			}
		}
	}
	return need, nil
}

// retire keeps those blocks of b, which is about to be removed, that other backups need: the whole pack under a second name, or, where
// less than half of it is needed, a new one with what is. What is kept is on the disk before anything goes.
func (s *Store) retire(ctx context.Context, b Backup) error {
	m, err := readManifest(b, true)
	if err == nil && m.Blocks == nil {
		return nil
	}
	folder := filepath.Dir(b.Dir)
	kept := filepath.Join(folder, archive.Retired(b.ID))
	if _, err := os.Lstat(kept); err == nil {
		return s.disk.SyncDir(filepath.Dir(kept)) // the others use that one already; a removal that was cut off may have made it
	}
	need, err := s.needsIn(folder, b.ID)
	if err != nil || !need.all && len(need.runs[b.ID]) == 0 {
		return err
	}
	if err := s.makeFolder(filepath.Dir(kept)); err != nil {
		return err
	}
	from, err := findPack(b.Dir)
	if err != nil || from == "" {
		return err
	}
	if done, err := s.shrink(ctx, from, kept, b.ID, need); done || err != nil {
		return err
	}
	err = s.disk.Link(from, kept)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EMLINK) {
		return s.copyPack(from, kept)
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", kept, err)
	}
	return s.disk.SyncDir(filepath.Dir(kept))
}

// findPack is the pack in the folder of a backup; "" for none.
func findPack(dir string) (string, error) {
	for _, name := range []string{archive.ArchiveName, archive.PackName} {
		path := filepath.Join(dir, name)
		_, err := os.Lstat(path)
		if err == nil || disk.IgnoreMissing(err) != nil {
			return path, err
		}
	}
	return "", nil
}

// shrink writes what is needed of the pack at from to kept, if that is less than half of it. A pack that is damaged, or for which there is
// no room, stays as it is: it is whole at from, which may be kept itself.
func (s *Store) shrink(ctx context.Context, from, kept, id string, need needs) (done bool, err error) {
	if need.all {
		return false, nil
	}
	pack, err := archive.OpenPackAt(from, id)
	if err != nil {
		return false, nil
	}
	defer pack.Close()
	alive := archive.AliveIn(pack, need.runs[id])
	if 2*alive.Bytes >= alive.Total {
		return false, nil
	}
	err = disk.StreamFile(s.disk, filepath.Dir(kept), filepath.Base(kept), func(w io.Writer) error {
		return archive.Repack(ctx, pack, alive, w)
	})
	_, damaged := errors.AsType[*archive.DamageError](err)
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if _, there := os.Lstat(kept); (damaged || full) && (from == kept || errors.Is(there, fs.ErrNotExist)) {
		return false, nil
	}
	return err == nil, err
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

// Collect takes out of the packs of removed backups what no backup needs any more. It wants the store's Lock.
func (s *Store) Collect(ctx context.Context) error {
	folders, err := filepath.Glob(filepath.Join(escapeGlob(s.root), "*", archive.RetiredFolder))
	if err != nil {
		return err
	}
	var problems error
	for _, dir := range folders {
		problems = errors.Join(problems, s.collect(ctx, filepath.Dir(dir)))
	}
	return problems
}

func (s *Store) collect(ctx context.Context, folder string) error {
	ids, err := retiredIn(folder)
	if err != nil || len(ids) == 0 {
		return err
	}
	need, err := s.needsIn(folder, "")
	if err != nil || need.all {
		return err
	}
	for _, id := range ids {
		kept := filepath.Join(folder, archive.Retired(id))
		if len(need.runs[id]) == 0 {
			err = disk.IgnoreMissing(s.disk.Remove(kept))
		} else {
			_, err = s.shrink(ctx, kept, kept, id, need)
		}
		if err != nil {
			return fmt.Errorf("free %s: %w", strings.TrimPrefix(kept, s.root+"/"), err)
		}
	}
	return s.disk.SyncDir(filepath.Join(folder, archive.RetiredFolder))
}
