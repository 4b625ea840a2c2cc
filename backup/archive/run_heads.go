package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"iter"
)

// OpenHeads opens the backup of blocks in dir for its headers alone: bytes of files are given as well, but where the
// reader passes over them they are not unpacked, and no digest of a file is taken. Every block that is unpacked is proven.
func OpenHeads(ctx context.Context, dir string, m *Manifest, ids Identities) (*Reader, error) {
	packs, err := PacksOf(dir, m, ids)
	if err != nil {
		return nil, err
	}
	heads := readHeads(ctx, packs, m)
	return &Reader{tar: tar.NewReader(heads), Frames: heads, want: m.Archive, bare: true}, nil
}

// headReader gives the stream of a backup piece by piece, each unpacked when a byte of it is asked for. It can only be
// moved forward, which is how archive/tar passes over files.
type headReader struct {
	ctx    context.Context
	packs  *PackSet
	frames *Unpacker
	next   func() (*piece, bool)
	stop   func()
	last   error // why there is no further piece; io.EOF: that was all

	present *piece
	left    int64 // bytes of the present piece that were not passed
	at      int64
	err     error // sticky
}

func readHeads(ctx context.Context, packs *PackSet, m *Manifest) *headReader {
	h := &headReader{ctx: ctx, packs: packs, frames: NewUnpacker()}
	h.next, h.stop = iter.Pull(func(yield func(*piece) bool) {
		h.last = plan(packs, m, func(p *piece) error {
			if !yield(p) {
				return context.Canceled
			}
			return nil
		})
	})
	return h
}

// ready goes to the next piece where all of the present one was passed.
func (h *headReader) ready() error {
	for h.err == nil && h.left == 0 {
		h.release()
		if h.err = context.Cause(h.ctx); h.err != nil {
			break
		}
		p, found := h.next()
		if !found {
			h.err = h.last
			break
		}
		h.present = p
		for i := range p.blocks {
			h.left += int64(p.blocks[i].Length)
		}
	}
	return h.err
}

// Read gives proven bytes.
func (h *headReader) Read(p []byte) (int, error) {
	if err := h.ready(); err != nil {
		return 0, err
	}
	if h.present.held == nil {
		h.present.read(h.frames)
		h.err = h.present.err
	}
	if h.err != nil {
		return 0, h.err
	}
	n := copy(p, h.present.bytes[int64(len(h.present.bytes))-h.left:])
	h.pass(int64(n))
	return n, nil
}

// Seek passes over so many bytes. At the end of the stream it stops, and the next read says so.
func (h *headReader) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return h.at, errors.New("only forward")
	}
	for offset > 0 && h.ready() == nil {
		n := min(offset, h.left)
		h.pass(n)
		offset -= n
	}
	return h.at, nil
}

func (h *headReader) pass(n int64) { h.left, h.at = h.left-n, h.at+n }

func (h *headReader) release() {
	if h.present != nil && h.present.held != nil {
		h.frames.release(h.present.held)
	}
	h.present = nil
}

func (h *headReader) failure() error { return h.err }

// Close ends the reading, and that of the packs.
func (h *headReader) Close() error {
	h.stop()
	h.release()
	h.left = 0
	if h.err == nil {
		h.err = context.Canceled
	}
	return h.packs.Close()
}
