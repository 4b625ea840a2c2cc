package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
)

// indexWriter writes an index as it lies beside a manifest of schema 2: zstd over lines of JSON, an entry a line, the
// runs in the last one. Entries are not kept in memory, for a home may have millions.
type indexWriter struct {
	packed *zstd.Encoder
	lines  *bufio.Writer
	json   *json.Encoder
}

func newIndexWriter(out io.Writer) *indexWriter {
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithWindowSize(frameRaw), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // fixed options
	}
	w := &indexWriter{packed: enc, lines: bufio.NewWriterSize(enc, 64<<10)}
	w.json = json.NewEncoder(w.lines)
	w.json.SetEscapeHTML(false)
	return w
}

// indexEnd is the last line of an index. Only that of an encrypted backup has more than runs: its manifest, which
// anybody reads, has no paths, and no digest with which a reader could test guesses.
type indexEnd struct {
	Runs       []Run       `json:"runs"`
	StoreKey   string      `json:"storeKey,omitempty"`
	Digest     string      `json:"digest,omitempty"`
	Exclusions []Exclusion `json:"exclusions,omitempty"`
}

func (w *indexWriter) entry(e *Entry) error { return w.json.Encode(e) }

// finish writes the last line and ends the index.
func (w *indexWriter) finish(end indexEnd) error {
	err := w.json.Encode(end)
	if err == nil {
		err = w.lines.Flush()
	}
	return errors.Join(err, w.packed.Close())
}

// indexMax bounds what is unpacked of an index.
const indexMax = 2 << 30

// readIndex reads an index whose bytes are proven. Of its entries it only remembers the packed bytes, or nothing when
// runsOnly says so.
func readIndex(packed []byte, runsOnly bool) (*Index, error) {
	lines, err := linesOf(packed)
	if err != nil {
		return nil, err
	}
	for {
		line, last, err := lines.next()
		if err != nil {
			return nil, err
		}
		if !last {
			continue
		}
		x := &Index{}
		if err := x.takeEnd(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.number, err)
		}
		if !runsOnly {
			x.packed = packed
		}
		return x, nil
	}
}

// takeEnd reads the last line.
func (x *Index) takeEnd(line []byte) error {
	var end struct {
		Path *string `json:"path"`
		indexEnd
	}
	if err := json.Unmarshal(line, &end); err != nil {
		return err
	}
	if end.Path != nil || len(end.Runs) == 0 {
		return errors.New("it is not the runs of blocks")
	}
	x.Runs, x.Digest, x.Exclusions = end.Runs, end.Digest, end.Exclusions
	if end.StoreKey == "" {
		return nil
	}
	var err error
	x.Key, err = ParseStoreKey(end.StoreKey)
	return err
}

// indexLines are the lines of an index, one after the other.
type indexLines struct {
	from   *bufio.Reader
	number int // of the line that came last, from 1
}

func linesOf(packed []byte) (*indexLines, error) {
	dec, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(indexMax), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	// With one decoder at work there is nothing that would have to be closed.
	return &indexLines{from: bufio.NewReaderSize(io.LimitReader(dec, indexMax), 64<<10)}, nil
}

// next is the next line, which may be the last one.
func (l *indexLines) next() (line []byte, last bool, err error) {
	l.number++
	line, err = l.from.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		line = bytes.Clone(line)
		rest, err = l.from.ReadBytes('\n')
		line = append(line, rest...)
	}

	if err != nil {
		return nil, false, fmt.Errorf("line %d: %w", l.number, noEOF(err))
	}
	if l.from.Buffered() > 0 {
		return line, false, nil
	}
	line = bytes.Clone(line) // looking ahead moves what is buffered
	_, err = l.from.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("line %d: %w", l.number+1, err)
	}
	return line, err != nil, nil
}

// Entries gives the entries of an index one after the other, in the order of the archive: a home may have millions.
type Entries struct {
	listed []Entry
	lines  *indexLines
}

// Each starts at the first entry.
func (x *Index) Each() (*Entries, error) {
	if x.packed == nil {
		return &Entries{listed: x.Entries}, nil
	}
	lines, err := linesOf(x.packed)
	return &Entries{lines: lines}, err
}

// Next is the next entry; io.EOF after the last one.
func (e *Entries) Next() (Entry, error) {
	if e.lines == nil {
		if len(e.listed) == 0 {
			return Entry{}, io.EOF
		}
		first := e.listed[0]
		e.listed = e.listed[1:]
		return first, nil
	}

	line, last, err := e.lines.next()
	if err != nil {
		return Entry{}, err
	}
	if last {
		return Entry{}, io.EOF
	}
	next, err := decodeEntry(line)
	if err != nil {
		return next, fmt.Errorf("line %d: %w", e.lines.number, err)
	}
	return next, nil
}

// All gives the entries in the order of the archive. Where the index breaks off, broken is set.
func (x *Index) All(broken *error) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		entries, err := x.Each()
		for err == nil {
			var e Entry
			if e, err = entries.Next(); err == nil && !yield(e) {
				return
			}
		}

		if !errors.Is(err, io.EOF) {
			*broken = err
		}
	}
}

// Has reports whether there is an entry of that name.
func (x *Index) Has(name string) (has bool, err error) {
	for e := range x.All(&err) {
		if e.Name() == name {
			return true, nil
		}
	}
	return false, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// MarshalJSON writes a run as [pack, from, count].
func (r Run) MarshalJSON() ([]byte, error) { return json.Marshal([]any{r.Pack, r.From, r.Count}) }

// UnmarshalJSON reads [pack, from, count].
func (r *Run) UnmarshalJSON(text []byte) error {
	parts := []any{&r.Pack, &r.From, &r.Count}
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != 3 || r.Count == 0 || r.Count > 1<<31 || !ValidID(r.Pack) {
		return fmt.Errorf("%s is no run of blocks", text)
	}
	return nil
}
