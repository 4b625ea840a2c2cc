package archive

import (
	"encoding/hex"

	"github.com/zeebo/blake3"
)

// streamDigest takes the digests of a tar stream while it passes, of each file and of each frame, and hashes every byte
// once.
//
// A frame's digest is BLAKE3 over the bytes in it that belong to no file, and, in place of each file's bytes, over the
// digest of the file as far as it came: up to its end, or to the end of the frame. Headers tell how long files are, so
// two streams whose frames have equal lengths and equal digests are equal.
type streamDigest struct {
	frame *blake3.Hasher
	file  *blake3.Hasher
	left  int64 // bytes of the present file that have not passed yet
}

// NewStreamDigest begins at the start of a tar stream.
func NewStreamDigest() *streamDigest {
	return &streamDigest{frame: blake3.New(), file: blake3.New()}
}

// BeginFile says that the next size bytes are a file's.
func (d *streamDigest) BeginFile(size int64) {
	d.file.Reset()
	d.left = size
}

// pass takes in the next bytes of the stream.
func (d *streamDigest) pass(p []byte) {
	if n := min(d.left, int64(len(p))); n > 0 {
		_, _ = d.file.Write(p[:n]) // no hash fails
		p, d.left = p[n:], d.left-n
		if d.left == 0 {
			_, _ = d.frame.Write(d.file.Sum(nil))
		}
	}
	_, _ = d.frame.Write(p)
}

// EndFile is the digest of the file that has just passed.
func (d *streamDigest) EndFile() string { return ShortDigest(d.file) }

// endFrame is the digest of the frame that ends here; the next one begins.
func (d *streamDigest) endFrame() string {
	if d.left > 0 {
		_, _ = d.frame.Write(d.file.Sum(nil))
	}
	digest := ShortDigest(d.frame)
	d.frame.Reset()
	return digest
}

// digestOf is BLAKE3 cut to 128 bits, in hexadecimal: it finds damage and tells contents apart; archives as a whole
// have SHA-256.
func digestOf(b []byte) string {
	sum := blake3.Sum256(b)
	return hex.EncodeToString(sum[:DigestBytes])
}

// digestText and digestBytes are the two ways to write a digest.
func digestText(b []byte) string { return hex.EncodeToString(b) }

func digestBytes(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != DigestBytes {
		panic("a digest of our own is none: " + text)
	}
	return b
}

// ShortDigest is what h has taken in, cut to 128 bits, in hexadecimal.
func ShortDigest(h *blake3.Hasher) string {
	var sum [32]byte
	return hex.EncodeToString(h.Sum(sum[:0])[:DigestBytes])
}
