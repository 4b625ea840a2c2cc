package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"
)

// EntryProof walks an archive and compares every entry with the index: its header before it is given out, its bytes
// before the next one is. Read gives the bytes of the present entry. Of a reader of OpenHeads it compares the headers.
type EntryProof struct {
	r      *Reader
	m      *Manifest
	list   *Entries
	passed int // entries whose headers were right
	open   bool
	want   Entry
	n      int64 // bytes of the present file that were read
	buffer []byte
}

// TakeDigests makes r take the digests of files, and of frames where the backup has them, if the manifest has any: an
// encrypted backup has none.
func (r *Reader) TakeDigests(m *Manifest) {
	frames, whole := r.Frames.(*frameReader)
	switch {
	case m.Encryption != nil && m.Index.Key == nil: // of schema 1, which has no digests then
	case whole:
		frames.Digest = NewStreamDigest()
		r.digest = frames.Digest
	default:
		r.digest = &plainDigest{m.Index.Key.names().hasher()}
	}
}

// plainDigest takes the digests of files from the bytes that its reader is given.
type plainDigest struct{ file *blake3.Hasher }

// BeginFile begins the next one.
func (d *plainDigest) BeginFile(int64) { d.file.Reset() }

// EndFile is the digest of the file that has just passed.
func (d *plainDigest) EndFile() string { return ShortDigest(d.file) }

// NewEntryProof proves the entries of r against the index of m.
func NewEntryProof(r *Reader, m *Manifest) *EntryProof {
	return &EntryProof{r: r, m: m, buffer: make([]byte, 256<<10)}
}

// Next goes to the next entry. io.EOF means that everything is as the index says and the whole archive has the promised
// SHA-256.
func (p *EntryProof) Next() (*tar.Header, error) {
	if err := p.end(); err != nil {
		return nil, err
	}
	h, err := p.r.Next()
	if errors.Is(err, io.EOF) {
		return nil, p.complete()
	}
	if err != nil {
		return nil, err
	}
	p.want, err = p.listed()
	if errors.Is(err, io.EOF) {
		return nil, Damagef(DamageIndex, p.m.Archive.File, "it has an entry %q that the index does not list", CleanName(h.Name))
	}
	if err != nil {
		return nil, err
	}
	p.passed++
	if err := verifyHeader(h, p.want); err != nil {
		return nil, err
	}
	if p.open, p.n = h.Typeflag == tar.TypeReg && !p.r.bare, 0; p.open && p.r.digest != nil {
		p.r.digest.BeginFile(h.Size)
	}
	return h, nil
}

// complete is io.EOF when the index has no further entry.
func (p *EntryProof) complete() error {
	more, err := p.listed()
	if err == nil {
		return Damagef(DamageIndex, p.m.Archive.File, "it has %d entries, and not %q, which the index lists next", p.passed, more.Path)
	}
	return err
}

// listed takes the next entry from the index; io.EOF behind the last one.
func (p *EntryProof) listed() (e Entry, err error) {
	if p.list == nil {
		p.list, err = p.m.Index.Each()
	}
	if err == nil {
		e, err = p.list.Next()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &DamageError{Kind: DamageIndex, Object: p.m.Archive.File, Err: err}
	}
	return e, err
}

func verifyHeader(h *tar.Header, want Entry) error {
	object := fmt.Sprintf("entry %q", want.Path)
	if _, why := StoredType(h.Typeflag); why != "" {
		return Damagef(DamageEntry, object, "%s", why)
	}
	got := Entry{Path: Printable(CleanName(h.Name)), Type: TypeWord(h.Typeflag), Size: h.Size, Mode: h.Mode, Link: Printable(h.Linkname)}
	switch {
	case CleanName(h.Name) != want.Name():
		return Damagef(DamageIndex, object, "the archive has %q in its place", got.Path)
	case got.Type == want.Type && got.Link != want.Link:
		return Damagef(DamageEntry, object, "it is a %s to %q, not to %q", got.Type, got.Link, want.Link)
	case got.Type != want.Type || got.Size != want.Size || got.Mode != want.Mode:
		return Damagef(DamageEntry, object, "it is a %s of %d bytes, mode %o, not a %s of %d bytes, mode %o",
			got.Type, got.Size, got.Mode, want.Type, want.Size, want.Mode)
	}

	return nil
}

// Read reads the present entry.
func (p *EntryProof) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	if d, plain := p.r.digest.(*plainDigest); plain {
		_, _ = d.file.Write(b[:n]) // no hash fails
	}
	return n, err
}

// end reads what is left of the present entry and judges all of it.
func (p *EntryProof) end() error {
	if !p.open {
		return nil
	}
	p.open = false
	if _, err := io.CopyBuffer(OnlyWriter{io.Discard}, p, p.buffer); err != nil {
		return err
	}
	object := fmt.Sprintf("entry %q", p.want.Path)
	if p.n != p.want.Size {
		return Damagef(DamageEntry, object, "it has %d bytes, not %d", p.n, p.want.Size)
	}
	if p.r.digest != nil && p.r.digest.EndFile() != p.want.Digest {
		return Damagef(DamageEntry, object, "its bytes have another digest")
	}
	return nil
}

// Digest is that of the present file, once all of it was read and proven; "" where the index has none.
func (p *EntryProof) Digest() (string, error) {
	err := p.end()
	return p.want.Digest, err
}

// Hashes reports whether the proof takes the digests of files, and takes them as anybody would: those of encrypted
// backups have a key.
func (p *EntryProof) Hashes() bool { return p.r.digest != nil && p.m.Index.Key == nil }

// OnlyWriter hides what io.Discard would do with buffers of its own, which are small.
type OnlyWriter struct{ io.Writer }

// CheckIndex compares the parts of a manifest with each other.
func CheckIndex(m *Manifest) error {
	if m.Index == nil {
		return Damagef(DamageManifest, ManifestName, "it has no index")
	}
	if err := checkEntries(m); err != nil {
		return err
	}
	if m.Blocks != nil {
		return checkBlocks(m)
	}
	packed := int64(0)
	for _, f := range m.Index.Frames {
		packed += f.Size
	}
	if m.Encryption != nil {
		return nil
	}
	if packed != m.Archive.Bytes {
		return Damagef(DamageIndex, ManifestName, "its frames have %d bytes, its archive %d", packed, m.Archive.Bytes)
	}
	if m.Content.Digest != ContentDigest(m.Index.Frames) {
		return Damagef(DamageContent, ManifestName, "its content digest is not that of its frames")
	}
	return nil
}

// checkEntries compares the entries with what the manifest says of them.
func checkEntries(m *Manifest) error {
	safe, got := safeEntries{NewKinds(), NewKinds()}, Content{Digest: m.Content.Digest}
	var err error
	for e := range m.Index.All(&err) {
		got.Entries++
		if e.Type == TypeWord(tar.TypeReg) {
			got.Files++
			got.Bytes += e.Size
		}
		if err = safe.check(e); err != nil {
			break
		}
	}

	if _, told := errors.AsType[*DamageError](err); err != nil && !told {
		err = &DamageError{Kind: DamageIndex, Object: m.Archive.File, Err: err}
	}
	switch {
	case err != nil:
		return err
	case got.Entries != m.Content.Entries:
		return Damagef(DamageIndex, ManifestName, "it lists %d entries, not %d", got.Entries, m.Content.Entries)
	case got != m.Content:
		return Damagef(DamageContent, ManifestName, "it lists %d files of %d bytes, not %d of %d", got.Files, got.Bytes, m.Content.Files, m.Content.Bytes)
	}

	return nil
}

// checkBlocks compares what a manifest says of its blocks with its runs.
func checkBlocks(m *Manifest) error {
	blocks := int64(0)
	for _, r := range m.Index.Runs {
		blocks += int64(r.Count)
		if r.Pack != m.ID && m.SelfContained() {
			return Damagef(DamageIndex, ManifestName, "its archive has not all of its blocks: some are of backup %s", r.Pack)
		}
	}

	if want := int64(m.Blocks.Added) + int64(m.Blocks.Shared); blocks != want {
		return Damagef(DamageIndex, ManifestName, "its runs have %d blocks, not %d", blocks, want)
	}
	return nil
}
