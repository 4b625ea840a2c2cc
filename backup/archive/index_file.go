package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// indexWriter writes an index as it lies beside a manifest of schema 2: zstd over lines of JSON, an entry a line, the runs in the last one.
// Entries are not kept in memory, for a home may have millions.
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

// indexLine is a line of an index: an entry or, in the last line, the runs.
type indexLine struct {
	*Entry
	Runs []Run `json:"runs,omitempty"`
}

func (w *indexWriter) entry(e *Entry) error { return w.json.Encode(e) }

// finish writes the runs and ends the index.
func (w *indexWriter) finish(runs []Run) error {
	err := w.json.Encode(indexLine{Runs: runs})
	if err == nil {
		err = w.lines.Flush()
	}
	return errors.Join(err, w.packed.Close())
}

// indexMax bounds what is unpacked of an index.
const indexMax = 2 << 30

// readIndex reads an index whose bytes are proven. runsOnly leaves out its entries.
func readIndex(packed []byte, runsOnly bool) (*Index, error) {
	dec, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(indexMax))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	lines := bufio.NewReaderSize(io.LimitReader(dec, indexMax), 64<<10)
	x := &Index{Entries: []Entry{}}
	for number := 0; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, noEOF(err))
		}
		_, err = lines.Peek(1)
		last := errors.Is(err, io.EOF)
		if !last && runsOnly {
			continue
		}
		if err := x.take(line, last); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if last {
			return x, nil
		}
	}
}

// take adds a line to x.
func (x *Index) take(text []byte, last bool) error {
	if !last {
		var e Entry
		err := json.Unmarshal(text, &e)
		x.Entries = append(x.Entries, e)
		return err
	}
	var line indexLine
	err := json.Unmarshal(text, &line)
	if err == nil && (line.Entry != nil || len(line.Runs) == 0) {
		err = errors.New("it is not the runs of blocks")
	}
	x.Runs = line.Runs
	return err
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
