package archive

import (
	"context"
	"io"
	"slices"
)

// Alive says which blocks of a pack some runs need.
type Alive struct {
	needed []bool
	Blocks int   // how many
	Bytes  int64 // of them, unpacked
	Total  int64 // bytes of all blocks of the pack
}

// AliveIn is what runs need of p. Those of other packs, and what p does not have, count for nothing.
func AliveIn(p *Pack, runs []Run) Alive {
	a := Alive{needed: make([]bool, len(p.Table.Blocks))}
	for _, r := range runs {
		at, found := p.Table.index(r)
		if r.Pack != p.ID || !found {
			continue
		}
		for i := at; i < at+int(r.Count); i++ {
			a.needed[i] = true
		}
	}

	for i, b := range p.Table.Blocks {
		a.Total += int64(b.Length)
		if a.needed[i] {
			a.Blocks++
			a.Bytes += int64(b.Length)
		}
	}
	return a
}

// Repack writes a pack of those blocks of p that are alive, each proven, under the numbers that they have, and gives
// its encoded table.
func Repack(ctx context.Context, p *Pack, alive Alive, out io.Writer) (table []byte, err error) {
	frames, unpacker := newFrameWriter(ctx, out), NewUnpacker()
	t := &Table{}
	for frame := 0; err == nil && frame < len(p.Table.Frames); frame++ {
		first, end := p.Table.blocksOf(frame)
		if slices.Contains(alive.needed[first:end], true) {
			err = unpacker.Unpack(p, frame, func(i int, block []byte) error {
				if !alive.needed[i] {
					return nil
				}
				t.Blocks = append(t.Blocks, p.Table.Blocks[i])
				return frames.put(block)
			})
		}
	}

	if closed := frames.Close(err != nil); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	t.Frames = frames.Frames
	table = t.Encode()
	_, err = out.Write(table)
	return table, err
}

// Frames are the frames of p that a run needs; none when it has not all of its blocks.
func (p *Pack) Frames(r Run) (first, last int, found bool) {
	at, found := p.Table.index(r)
	if !found {
		return 0, 0, false
	}
	first, _ = p.Table.frameOf(at)
	last, _ = p.Table.frameOf(at + int(r.Count) - 1)
	return first, last, true
}
