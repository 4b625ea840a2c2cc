// Package archive answers one question: what is a backup made of, and does what is read prove to be what was written?
// It holds the format: frames, manifest, index, seal, digests and encryption. It knows no store, no sandbox and no
// engine.
package archive

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"sandkeeper/internal/text"

	"github.com/zeebo/blake3"
)

// Archive is a backup's archive while its content is captured: a tar stream that is cut into blocks. Those that its
// series does not have yet are packed in independent zstd frames; where it has none, they are the whole stream, which
// tar and zstd read. It is used by one goroutine.
type Archive struct {
	ctx          context.Context
	tar          *tar.Writer
	cut          *cutter
	pack         *packWriter
	key          *StoreKey       // of an encrypted one
	Kinds        *Kinds          // what each captured path is
	lost         map[string]bool // left out paths that hard links may point to
	index        *indexWriter    // takes the entries
	Exclusions   []Exclusion
	Content      Content
	buffer       []byte
	notes        []func(*Manifest)
	Previous     *Manifest // nil, or that of a backup of the same home, all of whose blocks are there
	Adopted      bool      // all content is the previous backup's
	wholeSeconds int       // entries whose time came without a fraction
	err          error     // the stream is broken; nothing more can be added
}

// EntryError says at which entry the stream of a capture broke. The archive cannot be used after it.
type EntryError struct {
	Path string
	Err  error
}

// Error names the entry and what was seen.
func (e *EntryError) Error() string { return fmt.Sprintf("entry %q: %v", e.Path, e.Err) }

// Unwrap gives what was seen.
func (e *EntryError) Unwrap() error { return e.Err }

// Target says where the blocks of an archive go.
type Target struct {
	Sink  io.Writer // of the packed bytes
	Index io.Writer // of the index
	ID    string    // of the backup
	Known *Blocks   // what the series has, which is only referred to; nil: all is packed, and the pack alone is the stream
	Key   *StoreKey // for an encrypted one, whose Sink and Index encrypt
}

// New begins an archive.
func New(ctx context.Context, to Target) *Archive {
	p := &packWriter{
		id: to.ID, sink: to.Sink, frames: newFrameWriter(ctx, to.Sink), known: to.Known, whole: to.Known == nil,
		content: blake3.New(),
	}
	if to.Known != nil {
		to.Known.begin(to.ID, p.table.at)
	}
	a := &Archive{
		ctx: ctx, pack: p, cut: newCutter(to.Key.names(), p.put), key: to.Key, index: newIndexWriter(to.Index),
		Kinds: NewKinds(), lost: map[string]bool{}, buffer: make([]byte, 256<<10),
	}
	a.tar = tar.NewWriter(a.cut)
	return a
}

// Add takes one entry, in the order of the source. h.Name and, for hard links, h.Linkname are relative to the sandbox's
// home; "." is the home itself. Exactly h.Size bytes are read from r.
//
// An entry that cannot be kept (devices, odd names) is listed among the exclusions and is no error. An error means
// that the source or the store failed; the capture cannot go on.
func (a *Archive) Add(h *tar.Header, r io.Reader) error {
	if a.err != nil {
		return a.err
	}
	entry, refusal := a.admit(h)
	if refusal != nil {
		return a.refuse(h, *refusal)
	}
	if entry == nil {
		return nil
	}
	if err := a.AddUnjudged(entry, r); err != nil {
		a.err = &EntryError{Path: entry.Name, Err: err}
		return a.err
	}
	return nil
}

func (a *Archive) refuse(h *tar.Header, x Exclusion) error {
	a.lost[CleanName(h.Name)] = true
	a.Exclusions = append(a.Exclusions, x)
	return nil
}

// AddUnjudged takes an entry that was admitted already.
func (a *Archive) AddUnjudged(h *tar.Header, r io.Reader) error {
	spelled := *h
	if h.Typeflag == tar.TypeDir {
		spelled.Name += "/" // the home itself is "./"
	}
	if err := a.tar.WriteHeader(&spelled); err != nil {
		return err
	}
	e := Entry{Path: Printable(h.Name), Mode: h.Mode, Size: h.Size, Type: TypeWord(h.Typeflag), Link: Printable(h.Linkname)}
	if !utf8.ValidString(h.Name) {
		e.Raw = []byte(h.Name)
	}
	if h.Typeflag == tar.TypeReg {
		if err := a.body(h, r, &e); err != nil {
			return err
		}
		a.Content.Files++
		a.Content.Bytes += h.Size
	}

	a.Kinds.Set(h.Name, h.Typeflag)
	a.weigh(h)
	a.Content.Entries++
	return a.index.entry(&e)
}

// body copies a file's bytes and takes their digest.
func (a *Archive) body(h *tar.Header, r io.Reader, e *Entry) (err error) {
	if err := a.cut.beginFile(h.Size); err != nil {
		return err
	}
	if w, ok := r.(*Witnessed); ok && a.key == nil {
		from := a.pack.count()
		defer func() { e.Witness = &Witness{w.Seen, from, a.pack.count() - from} }()
		if w.Kept != nil {
			e.Digest, err = a.keep(h.Size, w.Kept)
			return err
		}
	}
	for left := h.Size; left > 0; {
		n, err := r.Read(a.buffer[:min(left, int64(len(a.buffer)))])
		if _, err := a.tar.Write(a.buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if errors.Is(err, io.EOF) && left > 0 {
			return text.As(io.ErrUnexpectedEOF, "the stream ended after %d of %d bytes", h.Size-left, h.Size)
		}
		if err != nil && left > 0 {
			return err
		}
	}

	e.Digest, err = a.cut.endFile()
	return err
}

// Omit lists a path that the source could not give, with the reason.
func (a *Archive) Omit(path, reason string) {
	path = CleanName(path)
	a.lost[path] = true
	a.Exclusions = append(a.Exclusions, Exclusion{Path: Printable(path), Kind: LeftOutOther, Reason: reason})
}

// Skip lists a path that the operator did not want kept, with the pattern that names it.
func (a *Archive) Skip(path, pattern string) {
	path = CleanName(path)
	a.lost[path] = true
	a.Exclusions = append(a.Exclusions, Exclusion{Path: Printable(path), Kind: LeftOutSkipped, Reason: "--skip-path " + pattern})
}

// Note changes the manifest just before it is written: for facts that are known only after the read, as its
// consistency.
func (a *Archive) Note(change func(*Manifest)) { a.notes = append(a.notes, change) }

// Finish ends the stream, and its pack.
func (a *Archive) Finish() error {
	if a.err == nil && !a.Adopted {
		a.err = a.tar.Close()
	}
	if a.err == nil {
		_, a.err = a.cut.flush()
	}
	if a.err == nil {
		a.Kinds = nil // nothing comes any more, and the table is as large
		a.err = a.pack.finish()
	}
	if a.err == nil && !a.Adopted {
		a.err = a.index.finish(a.end())
	}
	return a.err
}

// end is the last line of the index.
func (a *Archive) end() indexEnd {
	end := indexEnd{Runs: a.pack.runs}
	if a.key != nil {
		end.StoreKey, end.Digest, end.Exclusions = a.key.Secret(), a.pack.digest(), a.Exclusions
	}
	return end
}

// Table is the encoded table of the archive's own pack, once that is finished.
func (a *Archive) Table() []byte { return a.pack.encoded() }

// Abandon ends what works for an archive that nobody wants any more; after Finish it does nothing.
func (a *Archive) Abandon() { _ = a.pack.frames.Close(true) }

// Describe puts what was captured into m.
func (a *Archive) Describe(m *Manifest) {
	m.Content = a.Content
	m.Exclusions = append([]Exclusion{}, a.Exclusions...)
	if a.Adopted {
		m.Blocks = a.Previous.Blocks.shareAll()
	} else {
		m.Blocks = &BlockSums{Added: a.pack.table.count, AddedBytes: a.pack.added, Shared: a.pack.shares, SharedBytes: a.pack.shared}
	}

	if a.key == nil && !a.Adopted {
		m.Content.Digest = a.pack.digest()
	}
	for _, note := range a.notes {
		note(m)
	}
}

// Runs are where the blocks of the archive are; none of an encrypted one that is the previous backup's content, whose
// Packs it uses whole.
func (a *Archive) Runs() []Run {
	if a.Adopted && a.key == nil {
		return a.Previous.Index.Runs
	}
	return a.pack.runs
}

// Packs are the ids of the packs of other backups that the archive needs.
func (a *Archive) Packs() []string {
	var ids []string
	if a.Adopted {
		ids = slices.Clone(a.Previous.Packs)
		if a.Previous.Blocks.Added > 0 {
			ids = append(ids, a.Previous.ID)
		}
	}

	for _, r := range a.Runs() {
		if r.Pack != a.pack.id {
			ids = append(ids, r.Pack)
		}
	}

	slices.Sort(ids)
	return slices.Compact(ids)
}

// ContentDigest is BLAKE3 over the digests of the frames: equal for equal tar streams.
func ContentDigest(frames []Frame) string {
	h := blake3.New()
	for _, f := range frames {
		_, _ = h.WriteString(f.Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Adopt takes over all that the previous backup holds, its index too, when that has the same standing. It must come
// before the first Add; the previous backup's blocks are proven before the new one is made.
func (a *Archive) Adopt(s LayerFingerprint) bool {
	m := a.Previous
	if m == nil || m.Standing == nil || *m.Standing != s {
		return false
	}
	a.Adopted = true
	a.Exclusions, a.Content = m.Exclusions, m.Content
	a.Note(func(into *Manifest) {
		into.Looked = m.Looked
		into.Standing, into.ContentOf = m.Standing, cmp.Or(m.ContentOf, m.ID)
		into.Way, into.WayReason, into.Inexact = m.Way, m.WayReason, m.Inexact
	})
	return true
}
