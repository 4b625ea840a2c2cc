package archive

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"
)

// piece is what a run has of one frame.
type piece struct {
	pack   *Pack
	frame  int
	offset int64 // of the first block in the frame
	size   int64 // of the blocks
	blocks []Block
	whole  bool // every block of the frame is proven, also those that are not of the piece
	last   bool // the piece has the last block of the frame

	held  *unpacked
	bytes []byte
	err   error
	done  chan struct{} // nil: it is unpacked when a byte of it is asked for
}

// pieceOf is as much as one frame has of the blocks from number at of the table to the one before end.
func pieceOf(pack *Pack, at, end int) *piece {
	p := &piece{pack: pack}
	p.frame, p.offset = pack.Table.frameOf(at)
	first, next := pack.Table.blocksOf(p.frame)
	p.blocks, p.last = pack.Table.Blocks[at:min(next, end)], next <= end
	p.whole = p.last && at == first
	for i := range p.blocks {
		p.size += int64(p.blocks[i].Length)
	}
	return p
}

// hasHeaders reports whether there are headers in the piece, as far as the lengths of its blocks tell: those of one file
// are as long as each other but for the last one.
func (p *piece) hasHeaders() bool {
	changes := 0
	for i := 1; i < len(p.blocks); i++ {
		if p.blocks[i].Length != p.blocks[i-1].Length {
			changes++
		}
	}
	return changes > 1
}

// read unpacks the frame and proves the blocks.
func (p *piece) read(frames *Unpacker) {
	p.held = frames.get(p.pack, p.frame)
	if p.err = p.held.err; p.err != nil {
		return
	}
	blocks, rest := p.blocks, p.held.raw[p.offset:]
	p.bytes = rest[:p.size]
	if p.whole {
		first, next := p.pack.Table.blocksOf(p.frame)
		blocks, rest = p.pack.Table.Blocks[first:next], p.held.raw
	}
	for i := range blocks {
		b := &blocks[i]
		if p.pack.names.of(rest[:b.Length]) != b.Name {
			p.err = p.pack.Damage(p.frame, fmt.Errorf("block %d has another digest", b.Number))
			return
		}
		rest = rest[b.Length:]
	}
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
			p := pieceOf(pack, at, end)
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
