package archive

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/zeebo/blake3"
)

// runReader gives the stream of a backup from the blocks that its runs name, in whichever packs they are. Several
// frames are unpacked at once, and each block is proven before its bytes are seen. Errors are *DamageError or the
// context's.
type runReader struct {
	packs   *PackSet
	frames  *Unpacker
	present *piece // whose bytes are given
	ordered chan *piece
	left    []byte
	stop    context.CancelFunc
	group   sync.WaitGroup
	err     error // sticky
}

// piece is what a run has of one frame.
type piece struct {
	pack   *Pack
	frame  int
	offset int64 // of the first block in the frame
	blocks []Block
	held   *unpacked
	bytes  []byte
	err    error
	done   chan struct{}
}

// readRuns starts to read the runs of m, which all together must have the digest that it names. packs are closed with
// the reader.
func readRuns(ctx context.Context, packs *PackSet, m *Manifest) *runReader {
	ctx, stop := context.WithCancel(ctx)
	workers := min(runtime.GOMAXPROCS(0), maxPackers)
	frames := NewUnpacker()
	r := &runReader{packs: packs, frames: frames, ordered: make(chan *piece, 2*workers), stop: stop}
	work := make(chan *piece, 2*workers)
	for range workers {
		r.group.Go(func() {
			for p := range work {
				p.read(frames)
				close(p.done)
			}
		})
	}

	r.group.Go(func() {
		defer close(r.ordered)
		defer close(work)
		err := plan(packs, m, func(p *piece) error {
			p.done = make(chan struct{})
			select {
			case r.ordered <- p:
			case <-ctx.Done():
				return context.Cause(ctx)
			}

			work <- p
			return nil
		})
		last := &piece{err: err, done: make(chan struct{})}
		close(last.done)
		select {
		case r.ordered <- last:
		case <-ctx.Done():
		}
	})
	return r
}

// plan gives the pieces of m's runs in order; io.EOF after the last one, if all of them together have the digest of its
// content.
func plan(packs *PackSet, m *Manifest, give func(*piece) error) error {
	sum := blake3.New()
	for _, run := range m.Index.Runs {
		pack, at, err := packs.Place(run)
		if err != nil {
			return err
		}
		for end := at + int(run.Count); at < end; {
			p := &piece{pack: pack}
			p.frame, p.offset = pack.Table.frameOf(at)
			_, next := pack.Table.blocksOf(p.frame)
			p.blocks = pack.Table.Blocks[at:min(next, end)]
			at += len(p.blocks)
			for i := range p.blocks {
				_, _ = sum.Write(p.blocks[i].Name[:]) // no hash fails
			}
			if err := give(p); err != nil {
				return err
			}
		}
	}

	want := m.Content.Digest
	if m.Sealed() {
		want = m.Index.Digest
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return Damagef(DamageContent, m.Archive.File, "the blocks of the backup together have another digest")
	}
	return io.EOF
}

// CheckRuns proves, without reading the blocks, that the packs have those that the backup in dir needs.
func CheckRuns(dir string, m *Manifest, ids Identities) error {
	packs, err := PacksOf(dir, m, ids)
	if err != nil {
		return err
	}
	err = plan(packs, m, func(*piece) error { return nil })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, packs.Close())
}

func (p *piece) read(frames *Unpacker) {
	p.held = frames.get(p.pack, p.frame)
	raw := p.held.raw
	if p.held.err != nil {
		p.err = p.held.err
		return
	}
	rest := raw[p.offset:]
	for _, b := range p.blocks {
		if p.pack.names.of(rest[:b.Length]) != b.Name {
			p.err = p.pack.Damage(p.frame, fmt.Errorf("block %d has another digest", b.Number))
			return
		}
		rest = rest[b.Length:]
	}

	p.bytes = raw[p.offset : len(raw)-len(rest)]
}

// Read gives proven bytes.
func (r *runReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.present != nil && r.present.held != nil {
			r.frames.release(r.present.held)
			r.present = nil
		}
		next, open := <-r.ordered
		if !open {
			r.err = context.Canceled
			continue
		}
		<-next.done
		r.present, r.left, r.err = next, next.bytes, next.err
	}

	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *runReader) failure() error { return r.err }

// Close ends the reading, and that of the packs.
func (r *runReader) Close() error {
	r.stop()
	for range r.ordered { // let the plan end
	}
	r.group.Wait()
	r.left = nil
	if r.err == nil {
		r.err = context.Canceled
	}
	return r.packs.Close()
}
