package archive

import "encoding/binary"

// Block is one block of a pack. Its number in the pack never changes, also when other blocks are taken out.
type Block struct {
	Name   Name
	Number uint32
	Length uint32
}

// Run is a piece of a backup's stream: Count blocks of a pack, from number From on. A pack has the id of the backup that made it.
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

// Blocks finds blocks by name: what a series has already. It is small, for a home may have millions of them: 36 bytes a block and
// a table of numbers.
type Blocks struct {
	packs  []string
	blocks []placedBlock
	slots  []uint32 // 1 + an index of blocks, at a place that the name gives, or the next free one after it
}

type placedBlock struct {
	name   Name
	pack   uint32
	number uint32
}

// AddPack says that the blocks of a pack are there, but for those in frames that skip has. A block that is known already stays where it is.
func (k *Blocks) AddPack(p *Pack, skip map[int]bool) {
	pack := k.pack(p.ID)
	for frame := range p.Table.Frames {
		if skip[frame] {
			continue
		}
		first, end := p.Table.blocksOf(frame)
		for _, b := range p.Table.Blocks[first:end] {
			k.add(pack, b.Name, b.Number)
		}
	}
}

// Empty reports whether nothing is known.
func (k *Blocks) Empty() bool { return len(k.blocks) == 0 }

func (k *Blocks) pack(id string) uint32 {
	k.packs = append(k.packs, id)
	return uint32(len(k.packs) - 1)
}

func (k *Blocks) add(pack uint32, name Name, number uint32) {
	if 2*len(k.blocks) >= len(k.slots) {
		k.grow()
	}
	at, found := k.slot(name)
	if found {
		return
	}
	k.blocks = append(k.blocks, placedBlock{name, pack, number})
	k.slots[at] = uint32(len(k.blocks))
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
	b := &k.blocks[k.slots[at]-1]
	return k.packs[b.pack], b.number, true
}

func (k *Blocks) slot(name Name) (at uint32, found bool) {
	mask := uint32(len(k.slots) - 1)
	for at = binary.LittleEndian.Uint32(name[:]) & mask; k.slots[at] != 0; at = (at + 1) & mask {
		if k.blocks[k.slots[at]-1].name == name {
			return at, true
		}
	}
	return at, false
}

func (k *Blocks) grow() {
	k.slots = make([]uint32, max(1024, 2*len(k.slots)))
	for i := range k.blocks {
		at, _ := k.slot(k.blocks[i].name)
		k.slots[at] = uint32(i) + 1
	}
}
