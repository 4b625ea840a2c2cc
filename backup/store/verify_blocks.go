package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"

	"sandkeeper/backup/archive"

	"golang.org/x/sync/errgroup"
)

// verifyBlocks proves a backup of blocks: its packs have all that it needs and, with ReadData, every byte of its own
// pack and every block of the others is what it was.
func verifyBlocks(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	if err := archive.CheckRuns(b.Dir, m, o.Identities); err != nil || !o.ReadData {
		return Verification{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	whole := make(chan error, 1)
	go func() { whole <- VerifyDigest(ctx, b, m.Archive) }()
	err := proveContent(ctx, b, m, o)
	if err != nil {
		stop()
	}
	if digest := <-whole; err == nil {
		err = digest
	}
	if err != nil {
		return Verification{}, err
	}
	return Verification{ReadData: true, Decrypted: true, Entries: m.Content.Entries, Bytes: m.Archive.Bytes}, nil
}

func proveContent(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) error {
	if o.Proofs != nil {
		return o.Proofs.verify(ctx, b, m, o)
	}
	_, err := readEntries(ctx, b, m, o)
	return err
}

// verifySealed proves an encrypted backup as far as that is possible without a key that opens it: that it, and every
// pack that it needs, are there and, with ReadData, the same bytes as were written. What is in them it does not tell.
func verifySealed(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	err := checkFiles(ctx, b, m)
	if err == nil && o.ReadData {
		err = VerifyDigest(ctx, b, m.Archive)
	}
	for _, id := range m.Packs {
		if err != nil {
			break
		}
		err = o.Proofs.sealed(ctx, filepath.Dir(b.Dir), id, o.ReadData)
	}

	if err != nil {
		return Verification{}, err
	}
	return Verification{ReadData: o.ReadData, Bytes: m.Archive.Bytes}, nil
}

// sealed proves an encrypted pack in the folder of a series without opening it, unless that was done.
func (p Proofs) sealed(ctx context.Context, folder, id string, readData bool) error {
	note, path, err := archive.FindNote(folder, id)
	if err != nil {
		return err
	}
	key := path + ", as it lies on disk"
	if bad, proven := p[key]; proven && readData {
		return bad[0]
	}
	err = note.Check(ctx, path, readData)
	if _, damaged := errors.AsType[*archive.DamageError](err); p != nil && readData && (err == nil || damaged) {
		p[key] = map[int]error{0: err}
	}
	return err
}

// Proofs remember which frames of packs are damaged, by the packs' paths.
type Proofs map[string]map[int]error

// verify proves the packs that a backup uses, as far as that was not done, and compares its entries with its index.
func (p Proofs) verify(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) error {
	own := filepath.Join(b.Dir, m.Archive.File)
	if _, proven := p[own]; !proven && m.SelfContained() {
		_, err := readEntries(ctx, b, m, o)
		if err == nil {
			p[own] = nil // every block of it is one of the backup's
			return nil
		}
		return cmp.Or(p.blocks(ctx, b, m, o.Identities), err) // which frames are damaged is asked for the others
	}

	if err := p.blocks(ctx, b, m, o.Identities); err != nil {
		return err
	}
	r, err := archive.OpenHeads(ctx, b.Dir, m, o.Identities)
	if err != nil {
		return err
	}
	return errors.Join(verifyEntries(ctx, r, m), r.Close())
}

// blocks proves the packs that a backup uses, as far as that was not done, and gives the first damage that hurts it.
func (p Proofs) blocks(ctx context.Context, b Backup, m *archive.Manifest, ids archive.Identities) (err error) {
	packs, err := archive.PacksOf(b.Dir, m, ids)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, packs.Close()) }()
	for _, r := range m.Index.Runs {
		pack, err := packs.Get(r.Pack)
		if err != nil {
			return err
		}
		bad, proven := p[pack.Path]
		if !proven {
			if bad, err = provePack(ctx, pack); err != nil {
				return err
			}
			p[pack.Path] = bad
		}

		first, last, found := pack.Frames(r)
		if !found {
			return archive.Damagef(archive.DamageIndex, pack.Object(), "it has not the blocks that are needed")
		}
		for frame := first; frame <= last && len(bad) > 0; frame++ {
			if err := bad[frame]; err != nil {
				return pack.Damage(frame, err)
			}
		}
	}

	return nil
}

// provePack reads every block of a pack and gives the frames that are damaged, each with what was seen.
func provePack(ctx context.Context, pack *archive.Pack) (map[int]error, error) {
	bad := map[int]error{}
	unpacker := archive.NewUnpacker()
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for frame := range pack.Table.Frames {
		work.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			err := unpacker.Unpack(pack, frame, nil)
			if err == nil {
				return nil
			}
			damage, ok := errors.AsType[*archive.DamageError](err)
			if !ok {
				return fmt.Errorf("read %s: %w", pack.Path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			bad[frame] = damage.Err
			return nil
		})
	}

	return bad, work.Wait()
}
