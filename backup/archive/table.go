package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// Table says which blocks a pack has and in which frames. It lies behind the frames in a skippable frame, which zstd passes over
// (RFC 8878, 3.1.2), so that a pack is also what `zstd -dc` reads.
//
// In the file, all numbers little-endian:
//
//	frames   zstd frames, each of whole blocks, at most 1 MiB of them
//	u32      0x184D2A50, the magic number of a skippable frame
//	u32      length of what follows
//	...      the table, a zstd frame: u32 number of frames, u32 number of blocks, for each frame u32 packed bytes, u32 raw bytes and
//	         its packed digest (16 bytes), for each block u32 number, u32 length and its name (24 bytes); blocks fill frames in order
//	u32      length of the packed table
//	16 bytes BLAKE3 of the packed table
//	8 bytes  "sandpack"
type Table struct {
	Frames []Frame
	Blocks []Block
	firsts []int   // the first block of each frame
	starts []int64 // where each frame begins in the file
}

const (
	skippable   = 0x184D2A50
	packMagic   = "sandpack"
	skipHead    = 8
	packFoot    = 4 + DigestBytes + len(packMagic)
	tableHead   = 8
	frameRecord = 8 + DigestBytes
	blockRecord = 8 + len(Name{})
	tableMax    = 1 << 30 // raw bytes of a table: of 30 million blocks
)

// Encode is the table as it lies in a pack, with the skippable frame around it.
func (t *Table) Encode() []byte {
	raw := make([]byte, 0, tableHead+len(t.Frames)*frameRecord+len(t.Blocks)*blockRecord)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(t.Frames)))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(t.Blocks)))
	for _, f := range t.Frames {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(f.Size))
		raw = binary.LittleEndian.AppendUint32(raw, uint32(f.Raw))
		raw = append(raw, digestBytes(f.Packed)...)
	}
	for i := range t.Blocks {
		raw = binary.LittleEndian.AppendUint32(raw, t.Blocks[i].Number)
		raw = binary.LittleEndian.AppendUint32(raw, t.Blocks[i].Length)
		raw = append(raw, t.Blocks[i].Name[:]...)
	}
	packed := packOnce(raw)
	out := make([]byte, 0, skipHead+len(packed)+packFoot)
	out = binary.LittleEndian.AppendUint32(out, skippable)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packed)+packFoot))
	out = append(out, packed...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packed)))
	sum := blake3.Sum256(packed)
	out = append(out, sum[:DigestBytes]...)
	return append(out, packMagic...)
}

// ReadTable reads the table of a pack of that size and proves that frames and table are the whole pack.
func ReadTable(pack io.ReaderAt, size int64) (*Table, error) {
	foot := make([]byte, packFoot)
	if size < int64(skipHead+packFoot) {
		return nil, fmt.Errorf("%d bytes are no pack", size)
	}
	if err := readAt(pack, foot, size-int64(packFoot)); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(foot))
	if length+int64(skipHead+packFoot) > size {
		return nil, errNoTable
	}
	encoded := make([]byte, int64(skipHead)+length+int64(packFoot))
	at := size - int64(len(encoded))
	if err := readAt(pack, encoded, at); err != nil {
		return nil, err
	}
	t, err := DecodeTable(encoded)
	if err == nil && t.end() != at {
		err = fmt.Errorf("its frames have %d bytes, not %d", t.end(), at)
	}
	return t, err
}

var errNoTable = errors.New("it has no table at its end")

func readAt(from io.ReaderAt, buf []byte, at int64) error {
	n, err := from.ReadAt(buf, at)
	if n == len(buf) {
		return nil
	}
	return err
}

// DecodeTable is the table that Encode wrote.
func DecodeTable(encoded []byte) (*Table, error) {
	length := len(encoded) - skipHead - packFoot
	if length < 0 || string(encoded[len(encoded)-len(packMagic):]) != packMagic {
		return nil, errNoTable
	}
	packed, foot := encoded[skipHead:skipHead+length], encoded[skipHead+length:]
	sum := blake3.Sum256(packed)
	switch {
	case !bytes.Equal(sum[:DigestBytes], foot[4:4+DigestBytes]):
		return nil, errors.New("its table has another digest")
	case binary.LittleEndian.Uint32(encoded) != skippable || binary.LittleEndian.Uint32(encoded[4:]) != uint32(length+packFoot),
		binary.LittleEndian.Uint32(foot) != uint32(length):
		return nil, errors.New("the frame around its table is another one")
	}
	raw, err := unpackOnce(packed, tableMax)
	if err != nil {
		return nil, fmt.Errorf("its table: %w", err)
	}
	t, err := decodeTable(raw)
	if err != nil {
		return nil, err
	}
	return t, t.check()
}

func decodeTable(raw []byte) (*Table, error) {
	if len(raw) < tableHead {
		return nil, errors.New("its table is cut short")
	}
	frames, blocks := int64(binary.LittleEndian.Uint32(raw)), int64(binary.LittleEndian.Uint32(raw[4:]))
	if int64(len(raw)) != tableHead+frames*int64(frameRecord)+blocks*int64(blockRecord) {
		return nil, fmt.Errorf("its table of %d frames and %d blocks has %d bytes", frames, blocks, len(raw))
	}
	raw = raw[tableHead:]
	t := &Table{Frames: make([]Frame, frames), Blocks: make([]Block, blocks)}
	for i := range t.Frames {
		t.Frames[i] = Frame{
			Size: int64(binary.LittleEndian.Uint32(raw)), Raw: int64(binary.LittleEndian.Uint32(raw[4:])), Packed: digestText(raw[8:frameRecord]),
		}
		raw = raw[frameRecord:]
	}
	for i := range t.Blocks {
		t.Blocks[i] = Block{Number: binary.LittleEndian.Uint32(raw), Length: binary.LittleEndian.Uint32(raw[4:]), Name: Name(raw[8:blockRecord])}
		raw = raw[blockRecord:]
	}
	return t, nil
}

// end is where the frames end in the file.
func (t *Table) end() int64 {
	last := len(t.Frames) - 1
	if last < 0 {
		return 0
	}
	return t.starts[last] + t.Frames[last].Size
}

// check proves that the blocks fill the frames.
func (t *Table) check() error {
	next, at := 0, int64(0)
	for i, f := range t.Frames {
		if f.Size <= 0 || f.Size > FrameMax || f.Raw <= 0 || f.Raw > FrameMax {
			return fmt.Errorf("frame %d of %d bytes in %d is outside the limit of %d", i, f.Raw, f.Size, FrameMax)
		}
		t.firsts, t.starts = append(t.firsts, next), append(t.starts, at)
		left := f.Raw
		for ; left > 0 && next < len(t.Blocks); next++ {
			left -= int64(t.Blocks[next].Length)
		}
		if left != 0 {
			return fmt.Errorf("the blocks of frame %d have not its %d bytes", i, f.Raw)
		}
		at += f.Size
	}
	if next != len(t.Blocks) {
		return fmt.Errorf("its frames have %d of %d blocks", next, len(t.Blocks))
	}
	for i := range t.Blocks {
		if t.Blocks[i].Length == 0 || i > 0 && t.Blocks[i].Number <= t.Blocks[i-1].Number {
			return fmt.Errorf("block %d is out of order", i)
		}
	}
	return nil
}

// index is where in the table the blocks of a run begin; false when some are not in the pack.
func (t *Table) index(r Run) (int, bool) {
	at, found := slices.BinarySearchFunc(t.Blocks, r.From, func(b Block, n uint32) int {
		return int(int64(b.Number) - int64(n))
	})
	last := at + int(r.Count) - 1
	if !found || r.Count == 0 || last >= len(t.Blocks) || t.Blocks[last].Number != r.From+r.Count-1 {
		return 0, false
	}
	return at, true
}

// frameOf is the frame that holds block i, and where the block begins in it.
func (t *Table) frameOf(i int) (frame int, offset int64) {
	frame, found := slices.BinarySearch(t.firsts, i)
	if !found {
		frame--
	}
	for _, b := range t.Blocks[t.firsts[frame]:i] {
		offset += int64(b.Length)
	}
	return frame, offset
}

// blocksOf are the first block of a frame and the one behind its last.
func (t *Table) blocksOf(frame int) (first, end int) {
	if frame+1 < len(t.firsts) {
		return t.firsts[frame], t.firsts[frame+1]
	}
	return t.firsts[frame], len(t.Blocks)
}

func packOnce(raw []byte) []byte {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // fixed options
	}
	defer enc.Close()
	return enc.EncodeAll(raw, nil)
}

func unpackOnce(packed []byte, limit uint64) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(limit))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return dec.DecodeAll(packed, nil)
}
