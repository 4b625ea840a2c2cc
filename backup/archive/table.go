package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// Table says which blocks a pack has and in which frames. It lies behind the frames in a skippable frame, which zstd
// passes over (RFC 8878, 3.1.2), so that a pack is also what `zstd -dc` reads.
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
	return encodeTable(t.Frames, len(t.Blocks), func(i int) *Block { return &t.Blocks[i] })
}

// encodeTable is Encode for blocks that are not in one list. Of what may have millions of blocks only the packed bytes
// are made.
func encodeTable(frames []Frame, blocks int, at func(i int) *Block) []byte {
	out := &bytes.Buffer{}
	out.Grow(skipHead + packFoot + 1<<10 + len(frames)*frameRecord + blocks*(blockRecord-5)) // numbers and lengths are packed well
	out.Write(make([]byte, skipHead))
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(frameRaw))
	if err != nil {
		panic(err) // fixed options
	}
	record := binary.LittleEndian.AppendUint32(make([]byte, 0, blockRecord), uint32(len(frames)))
	record = binary.LittleEndian.AppendUint32(record, uint32(blocks))
	lines := bufio.NewWriterSize(enc, 64<<10)
	_, _ = lines.Write(record) // a buffer takes everything
	for _, f := range frames {
		record = binary.LittleEndian.AppendUint32(record[:0], uint32(f.Size))
		record = binary.LittleEndian.AppendUint32(record, uint32(f.Raw))
		_, _ = lines.Write(append(record, digestBytes(f.Packed)...))
	}

	for i := range blocks {
		b := at(i)
		record = binary.LittleEndian.AppendUint32(record[:0], b.Number)
		record = binary.LittleEndian.AppendUint32(record, b.Length)
		_, _ = lines.Write(append(record, b.Name[:]...))
	}

	if err := errors.Join(lines.Flush(), enc.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	packed := out.Bytes()[skipHead:]
	sum := blake3.Sum256(packed)
	foot := binary.LittleEndian.AppendUint32(nil, uint32(len(packed)))
	out.Write(append(append(foot, sum[:DigestBytes]...), packMagic...))
	encoded := out.Bytes()
	binary.LittleEndian.PutUint32(encoded, skippable)
	binary.LittleEndian.PutUint32(encoded[4:], uint32(len(encoded)-skipHead))
	return encoded
}

// ReadTable reads the table of a pack of that size and proves that frames and table are the whole pack.
func ReadTable(pack io.ReaderAt, size int64) (*Table, error) {
	t, at, err := tableIn(pack, size)
	if err == nil && t.end() != at {
		err = fmt.Errorf("its frames have %d bytes, not %d", t.end(), at)
	}
	return t, err
}

// DecodeTable is the table that Encode wrote.
func DecodeTable(encoded []byte) (*Table, error) {
	t, at, err := tableIn(bytes.NewReader(encoded), int64(len(encoded)))
	if err == nil && at != 0 {
		err = fmt.Errorf("%d bytes come before its table", at)
	}
	return t, err
}

var errNoTable = errors.New("it has no table at its end")

// tableIn reads the table at the end of size bytes, and where it begins. Of its packed bytes it only remembers the
// digest.
func tableIn(pack io.ReaderAt, size int64) (t *Table, at int64, err error) {
	if size < int64(skipHead+packFoot) {
		return nil, 0, fmt.Errorf("%d bytes are no pack", size)
	}
	foot, head := make([]byte, packFoot), make([]byte, skipHead)
	if err := readAt(pack, foot, size-int64(packFoot)); err != nil {
		return nil, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(foot))
	if string(foot[4+DigestBytes:]) != packMagic || length+int64(skipHead+packFoot) > size {
		return nil, 0, errNoTable
	}
	at = size - int64(packFoot) - length - int64(skipHead)
	if err := readAt(pack, head, at); err != nil {
		return nil, 0, err
	}
	packed := func() io.Reader { return io.NewSectionReader(pack, at+int64(skipHead), length) }
	sum := blake3.New()
	if _, err := io.CopyBuffer(sum, packed(), make([]byte, 64<<10)); err != nil {
		return nil, 0, err
	}
	switch {
	case ShortDigest(sum) != digestText(foot[4:4+DigestBytes]):
		return nil, 0, errors.New("its table has another digest")
	case binary.LittleEndian.Uint32(head) != skippable || binary.LittleEndian.Uint32(head[4:]) != uint32(length+int64(packFoot)):
		return nil, 0, errors.New("the frame around its table is another one")
	}

	if t, err = decodeTable(packed()); err != nil {
		return nil, 0, fmt.Errorf("its table: %w", err)
	}
	return t, at, t.check()
}

func readAt(from io.ReaderAt, buf []byte, at int64) error {
	n, err := from.ReadAt(buf, at)
	if n == len(buf) {
		return nil
	}
	return err
}

func decodeTable(packed io.Reader) (*Table, error) {
	dec, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(tableMax), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	raw, record := bufio.NewReaderSize(dec, 64<<10), make([]byte, blockRecord)
	if _, err := io.ReadFull(raw, record[:tableHead]); err != nil {
		return nil, noEOF(err)
	}
	frames, blocks := int64(binary.LittleEndian.Uint32(record)), int64(binary.LittleEndian.Uint32(record[4:]))
	if tableHead+frames*int64(frameRecord)+blocks*int64(blockRecord) > tableMax {
		return nil, fmt.Errorf("%d frames and %d blocks are too many", frames, blocks)
	}
	t := &Table{Frames: make([]Frame, frames), Blocks: make([]Block, blocks)}
	for i := range t.Frames {
		if _, err := io.ReadFull(raw, record[:frameRecord]); err != nil {
			return nil, noEOF(err)
		}
		t.Frames[i] = Frame{
			Size: int64(binary.LittleEndian.Uint32(record)), Raw: int64(binary.LittleEndian.Uint32(record[4:])), Packed: digestText(record[8:frameRecord]),
		}
	}

	for i := range t.Blocks {
		if _, err := io.ReadFull(raw, record); err != nil {
			return nil, noEOF(err)
		}
		t.Blocks[i] = Block{Number: binary.LittleEndian.Uint32(record), Length: binary.LittleEndian.Uint32(record[4:]), Name: Name(record[8:])}
	}

	if _, err := raw.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errors.New("bytes follow its last block"), err)
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
