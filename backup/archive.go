package backup

import (
	"archive/tar"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/zeebo/blake3"
)

// Archive is a backup's archive while its content is captured: a tar stream in independent zstd frames that tar and zstd read.
// It is used by one goroutine.
type Archive struct {
	ctx        context.Context
	tar        *tar.Writer
	frames     *frameWriter
	screen     screen
	bare       bool            // encrypted: the manifest gets no digests of content
	kinds      map[string]byte // what each captured path is
	lost       map[string]bool // left out paths that hard links may point to
	entries    []Entry         // never nil: an empty list in the manifest
	exclusions []Exclusion
	content    Content
	buffer     []byte
	notes      []func(*Manifest)
	previous   *Manifest // nil, or that of the backup which the frames are compared with
	adopted    bool      // all content is the previous backup's
	err        error     // the stream is broken; nothing more can be added
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

func newArchive(ctx context.Context, frames *frameWriter, policy SecretsPolicy, bare bool) *Archive {
	return &Archive{
		ctx: ctx, tar: tar.NewWriter(frames), frames: frames, screen: screen{policy: policy}, bare: bare,
		entries: []Entry{}, kinds: map[string]byte{}, lost: map[string]bool{}, buffer: make([]byte, 256<<10),
	}
}

// Add takes one entry, in the order of the source. h.Name and, for hard links, h.Linkname are relative to the sandbox's home;
// "." is the home itself. Exactly h.Size bytes are read from r.
//
// An entry that cannot be kept (devices, odd names, credentials) is listed among the exclusions and is no error. An error means
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
	if err := a.add(entry, r); err != nil {
		a.err = &EntryError{Path: entry.Name, Err: err}
		return a.err
	}
	return nil
}

func (a *Archive) refuse(h *tar.Header, x Exclusion) error {
	a.lost[cleanName(h.Name)] = true
	a.exclusions = append(a.exclusions, x)
	return nil
}

func (a *Archive) add(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeReg {
		screened, x, err := a.screen.file(h, r)
		if err != nil {
			return err
		}
		if x != nil {
			a.exclusions = append(a.exclusions, *x)
		}
		if screened == nil {
			a.lost[h.Name] = true
			return nil
		}
		r = screened
	}
	spelled := *h
	if h.Typeflag == tar.TypeDir {
		spelled.Name += "/" // the home itself is "./"
	}
	if err := a.tar.WriteHeader(&spelled); err != nil {
		return err
	}
	e := Entry{Path: printable(h.Name), Mode: h.Mode, Size: h.Size, Type: typeWord(h.Typeflag), Link: printable(h.Linkname)}
	if !utf8.ValidString(h.Name) {
		e.Raw = []byte(h.Name)
	}
	if h.Typeflag == tar.TypeReg {
		if err := a.body(h, r, &e); err != nil {
			return err
		}
		a.content.Files++
		a.content.Bytes += h.Size
	}
	a.kinds[h.Name] = h.Typeflag
	a.content.Entries++
	a.entries = append(a.entries, e)
	return nil
}

// body copies a file's bytes and takes their digest.
func (a *Archive) body(h *tar.Header, r io.Reader, e *Entry) error {
	a.frames.digest.beginFile(h.Size)
	for left := h.Size; left > 0; {
		n, err := r.Read(a.buffer[:min(left, int64(len(a.buffer)))])
		if _, err := a.tar.Write(a.buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if errors.Is(err, io.EOF) && left > 0 {
			return fmt.Errorf("the stream ended after %d of %d bytes: %w", h.Size-left, h.Size, io.ErrUnexpectedEOF)
		}
		if err != nil && left > 0 {
			return err
		}
	}
	if !a.bare {
		e.Digest = a.frames.digest.endFile()
	}
	return nil
}

// Omit lists a path that the source could not give, with the reason.
func (a *Archive) Omit(path, reason string) {
	path = cleanName(path)
	a.lost[path] = true
	a.exclusions = append(a.exclusions, Exclusion{Path: printable(path), Kind: LeftOutOther, Reason: reason})
}

// Note changes the manifest just before it is written: for facts that are known only after the read, as its consistency.
func (a *Archive) Note(change func(*Manifest)) { a.notes = append(a.notes, change) }

// Bytes is how much file content was captured so far.
func (a *Archive) Bytes() int64 { return a.content.Bytes }

// Files is how many files were captured so far.
func (a *Archive) Files() int { return a.content.Files }

// finish ends the stream. unchanged means that it equals the previous backup's, and that nothing was written.
func (a *Archive) finish() (unchanged bool, err error) {
	if a.err == nil && !a.adopted {
		a.err = a.tar.Close()
	}
	unchanged, err = a.frames.Close(a.err != nil)
	if a.err != nil {
		return false, a.err
	}
	return unchanged, err
}

// describe puts what was captured into m.
func (a *Archive) describe(m *Manifest) {
	m.Content = a.content
	m.Exclusions = append([]Exclusion{}, a.exclusions...)
	m.Index = &Index{Frames: a.frames.frames, Entries: a.entries}
	if a.bare {
		for i := range m.Index.Frames {
			m.Index.Frames[i].Digest, m.Index.Frames[i].Packed = "", ""
		}
	} else {
		m.Content.Digest = contentDigest(m.Index.Frames)
	}
	for _, note := range a.notes {
		note(m)
	}
}

// contentDigest is BLAKE3 over the digests of the frames: equal for equal tar streams.
func contentDigest(frames []Frame) string {
	h := blake3.New()
	for _, f := range frames {
		_, _ = h.WriteString(f.Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}
