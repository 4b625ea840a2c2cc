package archive

import (
	"encoding/binary"
	"sort"
)

// Block is one block of a pack. Its number in the pack never changes, also when other blocks are taken out.
type Block struct {
	Name   Name
	Number uint32
	Length uint32
}

// Run is a piece of a backup's stream: Count blocks of a pack, from number From on. A pack has the id of the backup
// that made it.
type Run struct {
	Pack  string
	From  uint32
	Count uint32
}

// addBlock appends one block to runs.
func addBlock(runs []Run, pack string, number uint32) []Run {
	if last := len(runs) - 1; last >= 0 && runs[last].Pack == pack && runs[last].From+runs[last].Count == number {
		runs[last].Count++
		return runs
	}
	return append(runs, Run{Pack: pack, From: number, Count: 1})
}

// blockList are blocks in pieces: a list of millions that grows is not copied.
type blockList struct {
	pieces [][]Block
	count  int
}

const blockPiece = 4096 // blocks in a piece

func (l *blockList) add(b Block) {
	if l.count%blockPiece == 0 {
		l.pieces = append(l.pieces, make([]Block, 0, blockPiece))
	}
	last := &l.pieces[len(l.pieces)-1]
	*last = append(*last, b)
	l.count++
}

func (l *blockList) at(i int) *Block { return &l.pieces[i/blockPiece][i%blockPiece] }

// Blocks finds blocks by name: what a series has already. It keeps no names of its own, for a home may have millions of
// blocks: four bytes for each, twice as many as there are, beside the tables of the packs.
type Blocks struct {
	packs []knownPack // the one that is being written is the last
	next  int         // the number of the next block
	count int         // of blocks that can be found
	slots []uint32    // 1 + the number of a block, at a place that its name gives, or the next free one after it
}

// knownPack is a pack whose blocks have the numbers from first on.
type knownPack struct {
	id    string
	first int
	at    func(i int) *Block
	table *Table // nil of the one that is being written
}

// AddPack says that the blocks of a pack are there, but for those in frames that skip has. A block that is known
// already stays where it is.
func (k *Blocks) AddPack(p *Pack, skip map[int]bool) {
	blocks := p.Table.Blocks
	first := k.next
	k.begin(p.ID, func(i int) *Block { return &blocks[i] })
	k.packs[len(k.packs)-1].table = p.Table
	k.next += len(blocks)
	for k.full(len(blocks)) {
		k.grow()
	}
	for frame := range p.Table.Frames {
		if skip[frame] {
			continue
		}
		from, end := p.Table.blocksOf(frame)
		for i := from; i < end; i++ {
			k.add(first + i)
		}
	}
}

// of are the blocks of a run; none when some are not there.
func (k *Blocks) of(r Run) []Block {
	for i := range k.packs {
		if p := &k.packs[i]; p.id == r.Pack && p.table != nil {
			at, found := p.table.index(r)
			if !found {
				return nil
			}
			return p.table.Blocks[at : at+int(r.Count)]
		}
	}
	return nil
}

// Empty reports whether nothing is known.
func (k *Blocks) Empty() bool { return k.count == 0 }

// begin says that the blocks from the next number on are those of a pack.
func (k *Blocks) begin(id string, at func(i int) *Block) {
	k.packs = append(k.packs, knownPack{id: id, first: k.next, at: at})
}

// added says that the pack that is being written has one more block.
func (k *Blocks) added() {
	k.next++
	if k.full(1) {
		k.grow()
	}
	k.add(k.next - 1)
}

// full reports whether there is no room for more blocks.
func (k *Blocks) full(more int) bool { return 2*(k.count+more) > len(k.slots) }

// add makes a block one that is found.
func (k *Blocks) add(number int) {
	_, b := k.block(number)
	if at, found := k.slot(b.Name); !found {
		k.count++
		k.slots[at] = uint32(number) + 1
	}
}

// block is the one of that number, and its pack.
func (k *Blocks) block(number int) (*knownPack, *Block) {
	at := sort.Search(len(k.packs), func(i int) bool { return k.packs[i].first > number }) - 1
	p := &k.packs[at]
	return p, p.at(number - p.first)
}

// find says where a block of that name is.
func (k *Blocks) find(name Name) (pack string, number uint32, found bool) {
	if k == nil || len(k.slots) == 0 {
		return "", 0, false
	}
	at, found := k.slot(name)
	if !found {
		return "", 0, false
	}
	p, b := k.block(int(k.slots[at] - 1))
	return p.id, b.Number, true
}

func (k *Blocks) slot(name Name) (at uint32, found bool) {
	mask := uint32(len(k.slots) - 1)
	for at = binary.LittleEndian.Uint32(name[:]) & mask; k.slots[at] != 0; at = (at + 1) & mask {
		if _, b := k.block(int(k.slots[at] - 1)); b.Name == name {
			return at, true
		}
	}
	return at, false
}

func (k *Blocks) grow() {
	old := k.slots
	k.slots = make([]uint32, max(1024, 2*len(old)))
	for _, taken := range old {
		if taken != 0 {
			_, b := k.block(int(taken - 1))
			at, _ := k.slot(b.Name)
			k.slots[at] = taken
		}
	}
}
