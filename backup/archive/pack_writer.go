package archive

import (
	"encoding/hex"
	"io"

	"github.com/zeebo/blake3"
)

// packWriter keeps the blocks of one backup: those that the series has are only referred to, new ones go into the
// backup's own pack.
type packWriter struct {
	id      string
	sink    io.Writer
	frames  *frameWriter
	known   *Blocks
	whole   bool // keep every block, so that the pack alone is the stream
	table   blockList
	runs    []Run
	added   int64 // bytes of the blocks in this pack
	shared  int64 // bytes of the blocks that were there already
	shares  int   // how many those are
	content *blake3.Hasher
}

// put takes the next block of the stream.
func (p *packWriter) put(block []byte, name Name) error {
	_, _ = p.content.Write(name[:]) // no hash fails
	if !p.whole {
		if pack, number, found := p.known.find(name); found {
			p.refer(pack, number, uint32(len(block)))
			return nil
		}
	}

	number := uint32(p.table.count)
	p.table.add(Block{Name: name, Number: number, Length: uint32(len(block))})
	if !p.whole {
		p.known.added()
	}
	p.runs = addBlock(p.runs, p.id, number)
	p.added += int64(len(block))
	return p.frames.put(block)
}

// share takes the next blocks of the stream from a pack that is there.
func (p *packWriter) share(pack string, blocks []Block) {
	for _, b := range blocks {
		_, _ = p.content.Write(b.Name[:]) // no hash fails
		p.refer(pack, b.Number, b.Length)
	}
}

func (p *packWriter) refer(pack string, number, length uint32) {
	p.runs = addBlock(p.runs, pack, number)
	p.shared += int64(length)
	p.shares++
}

// count is how many blocks the stream has so far.
func (p *packWriter) count() uint32 { return uint32(p.table.count + p.shares) }

// finish writes what is left, and the table of the pack behind it.
func (p *packWriter) finish() error {
	if err := p.frames.Close(false); err != nil {
		return err
	}
	_, err := p.sink.Write(p.encoded())
	return err
}

// encoded is the table of the pack, as it lies in it.
func (p *packWriter) encoded() []byte {
	return encodeTable(p.frames.Frames, p.table.count, p.table.at)
}

// digest is that of the content: BLAKE3 over the names of its blocks, in order.
func (p *packWriter) digest() string { return hex.EncodeToString(p.content.Sum(nil)) }
