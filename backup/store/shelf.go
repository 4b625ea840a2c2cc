package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
)

// shelf are the packs of one series while a new backup is made: blocks that are in them need not be stored again. While
// the home is read they are proven, frame by frame; nothing of them is used that is not proven.
type shelf struct {
	packs  map[string]*archive.Pack
	known  *archive.Blocks
	proven chan struct{}
	bad    distrust // read it when proven is closed
}

// distrust names the frames of packs that must not be relied on.
type distrust map[string]map[int]bool

// openShelf opens the packs in a folder that the series may share, the newest first: what was damaged and stored again
// is found where it is whole. A pack that says not what it has is told of and left out.
//
// With a key the packs are encrypted, and only those that the new backup's recipients can open as well are there.
func (s *Store) openShelf(ctx context.Context, n NewBackup, folder string, key *archive.StoreKey) (*shelf, error) {
	sh := &shelf{packs: map[string]*archive.Pack{}, known: &archive.Blocks{}, proven: make(chan struct{}), bad: distrust{}}
	ids, err := s.packsOf(SeriesOf(&n.Manifest), folder, key != nil)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p, err := openShelved(folder, id, n.Recipients, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
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

func openShelved(folder, id string, recipients []string, key *archive.StoreKey) (*archive.Pack, error) {
	if key != nil {
		return archive.OpenNoted(folder, id, key, recipients)
	}
	return archive.Opener{}.Find(folder, id)
}

// packsOf lists the packs in a folder that a new backup of the series may share, the newest first: the encrypted ones
// or the others.
func (s *Store) packsOf(of Series, folder string, sealed bool) ([]string, error) {
	backups, err := s.BackupsOf(of)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, b := range backups {
		if b.Manifest.Blocks != nil && b.Manifest.Sealed() == sealed && filepath.Dir(b.Dir) == folder {
			ids = append(ids, b.ID)
		}
	}

	retired, err := retiredIn(folder, sealed)
	ids = append(ids, retired...)
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	return slices.Compact(ids), err
}

// retiredIn lists the packs of removed backups in the folder of a series: the encrypted ones or the others.
func retiredIn(folder string, sealed bool) ([]string, error) {
	pattern := archive.Retired("*")
	if sealed {
		pattern = archive.RetiredNote("*")
	}
	files, err := filepath.Glob(filepath.Join(escapeGlob(folder), pattern))
	var ids []string
	for _, file := range files {
		if id := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); archive.ValidID(id) {
			ids = append(ids, id)
		}
	}

	return ids, err
}

// prove reads every pack, unless that was done a moment ago.
func (sh *shelf) prove(ctx context.Context, already bool) {
	defer close(sh.proven)
	for id, p := range sh.packs {
		if already || ctx.Err() != nil {
			return
		}
		if bad := p.Prove(ctx); len(bad) > 0 {
			sh.bad[id] = bad
		}
	}
}

// lost waits for the proof and gives an archive.ErrBaseDamaged when the archive needs what was not proven.
func (sh *shelf) lost(ctx context.Context, own string, a *archive.Archive) error {
	select {
	case <-sh.proven:
	case <-ctx.Done():
		return context.Cause(ctx)
	}

	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, id := range a.Packs() {
		if sh.packs[id] == nil {
			return fmt.Errorf("%w: the pack of backup %s cannot be read", archive.ErrBaseDamaged, id)
		}
		if a.Adopted && len(a.Runs()) == 0 && len(sh.bad[id]) > 0 {
			return fmt.Errorf("%s: %w: it has other bytes", sh.packs[id].Path, archive.ErrBaseDamaged)
		}
	}

	for _, r := range a.Runs() {
		if r.Pack == own {
			continue
		}
		if err := sh.lostOf(r); err != nil {
			return err
		}
	}

	return nil
}

// lostOf is lost for one run.
func (sh *shelf) lostOf(r archive.Run) error {
	p := sh.packs[r.Pack]
	first, last, found := p.Frames(r)
	if !found {
		return fmt.Errorf("%s: %w: it has not the blocks that are needed", p.Path, archive.ErrBaseDamaged)
	}
	for frame := first; frame <= last; frame++ {
		if sh.bad[r.Pack][frame] {
			return fmt.Errorf("%s: %w: frame %d has other bytes", p.Path, archive.ErrBaseDamaged, frame)
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
