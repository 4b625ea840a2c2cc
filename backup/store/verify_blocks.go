package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"sandkeeper/backup/archive"

	"golang.org/x/sync/errgroup"
)

// verifyBlocks proves a backup of blocks: its packs have all that it needs and, with ReadData, every byte of its own pack and every
// block of the others is what it was.
func verifyBlocks(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	if err := archive.CheckRuns(b.Dir, m); err != nil || !o.ReadData {
		return Verification{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	whole := make(chan error, 1)
	go func() { whole <- VerifyDigest(ctx, b, m) }()
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
	return Verification{ReadData: true, Decrypted: true, Entries: len(m.Index.Entries), Bytes: m.Archive.Bytes}, nil
}

func proveContent(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) error {
	if o.Proofs != nil {
		return o.Proofs.verify(ctx, b, m)
	}
	_, err := readEntries(ctx, b, m, o)
	return err
}

// Proofs remember which frames of packs are damaged, by the packs' paths.
type Proofs map[string]map[int]error

// verify proves the packs that a backup uses, as far as that was not done, and gives the first damage that hurts it.
func (p Proofs) verify(ctx context.Context, b Backup, m *archive.Manifest) (err error) {
	packs, err := archive.PacksOf(b.Dir, m)
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
