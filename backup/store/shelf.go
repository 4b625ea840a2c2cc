package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
)

// shelf are the packs of one series while a new backup is made: blocks that are in them need not be stored again. While the home is read
// they are proven, frame by frame; nothing of them is used that is not proven.
type shelf struct {
	packs  map[string]*archive.Pack
	known  *archive.Blocks
	proven chan struct{}
	bad    distrust // read it when proven is closed
}

// distrust names the frames of packs that must not be relied on.
type distrust map[string]map[int]bool

// openShelf opens the packs in a folder that the series may share, the newest first: what was damaged and stored again is found where it
// is whole. A pack that says not what it has is told of and left out.
func (s *Store) openShelf(ctx context.Context, n NewBackup, folder string) (*shelf, error) {
	sh := &shelf{packs: map[string]*archive.Pack{}, known: &archive.Blocks{}, proven: make(chan struct{}), bad: distrust{}}
	ids, err := s.packsOf(SeriesOf(&n.Manifest), folder)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p, err := archive.OpenPack(folder, id)
		if err != nil {
			if n.Damaged != nil && n.distrust == nil {
				n.Damaged(fmt.Errorf("%s: %w: %w", folder, archive.ErrBaseDamaged, err))
			}
			continue
		}
		sh.packs[id] = p
		sh.known.AddPack(p, n.distrust[id])
	}
	go sh.prove(ctx, n.distrust != nil)
	return sh, nil
}

// packsOf lists the packs in a folder that a new backup of the series may share, the newest first.
func (s *Store) packsOf(of Series, folder string) ([]string, error) {
	backups, err := s.BackupsOf(of)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, b := range backups {
		if b.Manifest.Blocks != nil && filepath.Dir(b.Dir) == folder {
			ids = append(ids, b.ID)
		}
	}
	retired, err := retiredIn(folder)
	ids = append(ids, retired...)
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	return slices.Compact(ids), err
}

// retiredIn lists the packs of removed backups in the folder of a series.
func retiredIn(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(folder), archive.Retired("*")))
	var ids []string
	for _, file := range files {
		if id := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); archive.ValidID(id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// prove reads every frame, unless that was done a moment ago.
func (sh *shelf) prove(ctx context.Context, already bool) {
	defer close(sh.proven)
	var packed []byte
	for id, p := range sh.packs {
		for frame := range p.Table.Frames {
			if already || ctx.Err() != nil {
				return
			}
			var err error
			if packed, err = p.Packed(frame, packed); err != nil {
				if sh.bad[id] == nil {
					sh.bad[id] = map[int]bool{}
				}
				sh.bad[id][frame] = true
			}
		}
	}
}

// lost waits for the proof and gives an archive.ErrBaseDamaged when one of the runs needs what was not proven.
func (sh *shelf) lost(ctx context.Context, own string, runs []archive.Run) error {
	select {
	case <-sh.proven:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, r := range runs {
		p := sh.packs[r.Pack]
		if r.Pack == own {
			continue
		}
		if p == nil {
			return fmt.Errorf("%w: the pack of backup %s cannot be read", archive.ErrBaseDamaged, r.Pack)
		}
		first, last, found := p.Frames(r)
		if !found {
			return fmt.Errorf("%s: %w: it has not the blocks that are needed", p.Path, archive.ErrBaseDamaged)
		}
		for frame := first; frame <= last; frame++ {
			if sh.bad[r.Pack][frame] {
				return fmt.Errorf("%s: %w: frame %d has other bytes", p.Path, archive.ErrBaseDamaged, frame)
			}
		}
	}
	return nil
}

func (sh *shelf) close() error {
	<-sh.proven
	var errs []error
	for _, p := range sh.packs {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
