package archive

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/zeebo/blake3"
)

// The sizes of blocks.
const (
	blockMax = 128 << 10 // of everything but databases; small files are a block each
	pageMin  = 4 << 10   // databases of smaller pages have several in a block
)

// Name is what a block is called: BLAKE3 of its bytes, 192 bits. Equal names are equal blocks.
type Name [24]byte

// NameOf is the name of a block.
func NameOf(block []byte) Name {
	sum := blake3.Sum256(block)
	return Name(sum[:len(Name{})])
}

// digest is the digest of a file that is this one block.
func (n Name) digest() string { return hex.EncodeToString(n[:DigestBytes]) }

// sqliteMagic begins every SQLite database; its page size follows (https://www.sqlite.org/fileformat.html, 1.3.2).
const sqliteMagic = "SQLite format 3\x00"

// blockSize is the size of the blocks of a file that begins so: a database changes by pages.
func blockSize(head []byte) int {
	if len(head) < len(sqliteMagic)+2 || !bytes.HasPrefix(head, []byte(sqliteMagic)) {
		return blockMax
	}
	page := int(binary.BigEndian.Uint16(head[len(sqliteMagic):]))
	if page == 1 {
		page = 64 << 10 // which does not fit the two bytes
	}
	if page < 512 || page&(page-1) != 0 {
		return blockMax
	}
	return max(page, pageMin)
}

// cutter cuts a tar stream into blocks: the bytes between two files (padding and headers) are one, and each file is one
// or more.
type cutter struct {
	put   func(block []byte, name Name) error
	names *naming
	block []byte
	size  int            // where the present block ends at the latest
	file  *blake3.Hasher // of the present file, when it fills a block, which is flushed before the file ends, or has more of them
	head  bool           // the present block is the first one of a file
	idle  bool           // what is written is not taken
}

func newCutter(names *naming, put func([]byte, Name) error) *cutter {
	return &cutter{put: put, names: names, size: blockMax, block: make([]byte, 0, blockMax)}
}

// Write takes the next bytes of the stream.
func (c *cutter) Write(p []byte) (int, error) {
	if c.idle {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), c.size-len(c.block))
		c.block = append(c.block, rest[:n]...)
		rest = rest[n:]
		if len(c.block) == c.size {
			if _, err := c.flush(); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

// beginFile says that the next size bytes are a file's.
func (c *cutter) beginFile(size int64) error {
	_, err := c.flush()
	c.head = true
	if size >= blockMax {
		c.file = c.names.hasher()
	}
	return err
}

// endFile ends the file that has just passed and gives its digest.
func (c *cutter) endFile() (string, error) {
	name, err := c.flush()
	c.head, c.size = false, blockMax
	if c.file != nil {
		digest := ShortDigest(c.file)
		c.file = nil
		return digest, err
	}
	return name.digest(), err
}

// flush ends the present block, which is several pages when it is the beginning of a database, and gives its name as a
// whole.
func (c *cutter) flush() (Name, error) {
	block := c.block
	c.block = c.block[:0]
	if c.head {
		c.head, c.size = false, blockSize(block)
	}
	if c.file != nil {
		_, _ = c.file.Write(block) // no hash fails
	}
	whole := c.names.of(block)
	if len(block) <= c.size {
		if len(block) == 0 {
			return whole, nil
		}
		return whole, c.put(block, whole)
	}

	for piece := range slices.Chunk(block, c.size) {
		if err := c.put(piece, c.names.of(piece)); err != nil {
			return whole, err
		}
	}

	return whole, nil
}
