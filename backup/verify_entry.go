package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// entryProof walks an archive and compares every entry with the index: its header before it is given out, its bytes before the next
// one is. Read gives the bytes of the present entry.
type entryProof struct {
	r      *Reader
	m      *Manifest
	passed int // entries whose headers were right
	open   bool
	want   Entry
	n      int64 // bytes of the present file that were read
	buffer []byte
}

// takeDigests makes r prove the digests of frames and take those of files, where the manifest has them: an encrypted backup has none.
func (r *Reader) takeDigests(m *Manifest) {
	if m.Encryption == nil {
		r.frames.digest = newStreamDigest()
	}
}

func newEntryProof(r *Reader, m *Manifest) *entryProof {
	return &entryProof{r: r, m: m, buffer: make([]byte, 256<<10)}
}

// next goes to the next entry. io.EOF means that everything is as the index says and the whole archive has the promised SHA-256.
func (p *entryProof) next() (*tar.Header, error) {
	if err := p.end(); err != nil {
		return nil, err
	}
	h, err := p.r.Next()
	if errors.Is(err, io.EOF) && p.passed != len(p.m.Index.Entries) {
		return nil, damagef(DamageIndex, p.m.Archive.File, "it has %d entries, not %d", p.passed, len(p.m.Index.Entries))
	}
	if err != nil {
		return nil, err
	}
	if p.passed >= len(p.m.Index.Entries) {
		return nil, damagef(DamageIndex, p.m.Archive.File, "it has an entry %q that the index does not list", cleanName(h.Name))
	}
	p.want = p.m.Index.Entries[p.passed]
	p.passed++
	if err := verifyHeader(h, p.want); err != nil {
		return nil, err
	}
	if p.open, p.n = h.Typeflag == tar.TypeReg, 0; p.open && p.r.frames.digest != nil {
		p.r.frames.digest.beginFile(h.Size)
	}
	return h, nil
}

func verifyHeader(h *tar.Header, want Entry) error {
	object := fmt.Sprintf("entry %q", want.Path)
	if _, why := storedType(h.Typeflag); why != "" {
		return damagef(DamageEntry, object, "%s", why)
	}
	got := Entry{Path: printable(cleanName(h.Name)), Type: typeWord(h.Typeflag), Size: h.Size, Mode: h.Mode, Link: printable(h.Linkname)}
	switch {
	case cleanName(h.Name) != want.Name():
		return damagef(DamageIndex, object, "the archive has %q in its place", got.Path)
	case got.Type != want.Type || got.Size != want.Size || got.Mode != want.Mode || got.Link != want.Link:
		return damagef(DamageEntry, object, "it is a %s of %d bytes, mode %o, not a %s of %d bytes, mode %o",
			got.Type, got.Size, got.Mode, want.Type, want.Size, want.Mode)
	}
	return nil
}

// Read reads the present entry.
func (p *entryProof) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

// end reads what is left of the present entry and judges all of it.
func (p *entryProof) end() error {
	if !p.open {
		return nil
	}
	p.open = false
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, p, p.buffer); err != nil {
		return err
	}
	object := fmt.Sprintf("entry %q", p.want.Path)
	if p.n != p.want.Size {
		return damagef(DamageEntry, object, "it has %d bytes, not %d", p.n, p.want.Size)
	}
	if p.r.frames.digest != nil && p.r.frames.digest.endFile() != p.want.Digest {
		return damagef(DamageEntry, object, "its bytes have another digest")
	}
	return nil
}

// digest is that of the present file, once all of it was read and proven; "" where the index has none.
func (p *entryProof) digest() (string, error) {
	err := p.end()
	return p.want.Digest, err
}

// hashes reports whether the proof takes the digests of files.
func (p *entryProof) hashes() bool { return p.r.frames.digest != nil }
