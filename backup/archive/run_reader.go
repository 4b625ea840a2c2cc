package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"iter"
	"runtime"
	"sync"
)

// runReader gives the stream of a backup from the blocks that its runs name, in whichever packs they are. Several
// frames are unpacked at once, and each block is proven before its bytes are seen. It can be moved forward, which is how
// archive/tar passes over files: what is passed over is proven all the same. Errors are *DamageError or the context's.
type runReader struct {
	ctx    context.Context
	packs  *PackSet
	frames *Unpacker
	proofs Proofs // nil: nothing is remembered
	bare   bool   // of a frame that is proven, according to proofs, only what is asked for is unpacked
	next   func() (*piece, bool)
	last   error       // why there is no further piece; io.EOF: that was all
	ahead  chan *piece // that were asked for, in order
	work   chan *piece // those of them that are to be unpacked
	group  sync.WaitGroup
	end    func()

	present *piece // whose bytes are given
	left    int64  // of them that were not passed
	at      int64
	err     error // sticky
}

// OpenHeads opens the backup of blocks in dir for its headers, and proves every frame that it needs, unless proofs say
// that this was done. No digest of a file is taken.
func OpenHeads(ctx context.Context, dir string, m *Manifest, ids Identities, proofs Proofs) (*Reader, error) {
	packs, err := PacksOf(dir, m, ids)
	if err != nil {
		return nil, err
	}
	heads := readRuns(ctx, packs, m, proofs)
	heads.bare = true
	return &Reader{tar: tar.NewReader(heads), Frames: heads, want: m.Archive, bare: true}, nil
}

// readRuns starts to read the runs of m, which all together must have the digest that it names. packs are closed with
// the reader.
func readRuns(ctx context.Context, packs *PackSet, m *Manifest, proofs Proofs) *runReader {
	workers := min(runtime.GOMAXPROCS(0), maxPackers)
	r := &runReader{
		ctx: ctx, packs: packs, frames: NewUnpacker(), proofs: proofs,
		ahead: make(chan *piece, 2*workers+1), work: make(chan *piece, 2*workers+1),
	}
	next, stop := iter.Pull(func(yield func(*piece) bool) {
		r.last = plan(packs, m, func(p *piece) error {
			if !yield(p) {
				return context.Canceled
			}
			return nil
		})
	})
	for range workers {
		r.group.Go(func() {
			for p := range r.work {
				p.read(r.frames)
				close(p.done)
			}
		})
	}

	r.next, r.end = next, sync.OnceFunc(func() {
		stop()
		close(r.work)
		r.group.Wait()
	})
	return r
}

// ask asks for as many further pieces as are worked on at once.
func (r *runReader) ask() {
	for len(r.ahead) < cap(r.ahead) {
		p, found := r.next()
		if !found {
			return
		}
		proven := r.bare && r.proofs.has(p)
		if !proven {
			p.whole = p.whole || r.bare
			r.proofs.begin(p)
		}
		if !proven || p.err == nil && p.hasHeaders() {
			p.done = make(chan struct{})
			r.work <- p // which has room for all that are ahead
		}
		r.ahead <- p
	}
}

// ready goes to the next piece where all of the present one was passed.
func (r *runReader) ready() error {
	for r.err == nil && r.left == 0 {
		r.release()
		if r.err = context.Cause(r.ctx); r.err != nil {
			break
		}
		r.ask()
		if len(r.ahead) == 0 {
			r.err = r.last
			break
		}
		r.present = <-r.ahead
		r.settle(r.present)
		r.left, r.err = r.present.size, r.present.err
	}
	return r.err
}

// settle waits for the proof of a piece that was asked for and remembers how it ended.
func (r *runReader) settle(p *piece) {
	if p.done != nil {
		<-p.done
		r.proofs.end(p)
	}
}

// Read gives proven bytes.
func (r *runReader) Read(p []byte) (int, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	if r.present.held == nil {
		r.present.read(r.frames)
		r.err = r.present.err
	}
	if r.err != nil {
		return 0, r.err
	}
	n := copy(p, r.present.bytes[int64(len(r.present.bytes))-r.left:])
	r.pass(int64(n))
	return n, nil
}

// Seek passes over so many bytes. At the end of the stream it stops, and the next read says so.
func (r *runReader) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return r.at, errors.New("only forward")
	}
	for offset > 0 && r.ready() == nil {
		n := min(offset, r.left)
		r.pass(n)
		offset -= n
	}
	return r.at, nil
}

func (r *runReader) pass(n int64) { r.left, r.at = r.left-n, r.at+n }

func (r *runReader) release() {
	if r.present != nil && r.present.held != nil {
		r.frames.release(r.present.held, r.present.last)
	}
	r.present = nil
}

func (r *runReader) failure() error { return r.err }

// Close ends the reading, and that of the packs.
func (r *runReader) Close() error {
	r.end()
	for len(r.ahead) > 0 {
		r.settle(<-r.ahead)
	}
	r.release()
	r.left = 0
	if r.err == nil {
		r.err = context.Canceled
	}
	return r.packs.Close()
}
