package archive

import (
	"archive/tar"
	"errors"
	"io"
	"time"

	"sandkeeper/internal/text"
)

// DefaultStall is how long a source may be silent.
const DefaultStall = time.Minute

// StallLimit is a stall limit; zero is the default one.
type StallLimit time.Duration

// OrDefault is the limit, or the default one when none is set.
func (l StallLimit) OrDefault() time.Duration {
	if l <= 0 {
		return DefaultStall
	}
	return time.Duration(l)
}

// TarWalk reads a tar stream and insists on its end mark: archive/tar takes a stream that simply ends between two
// entries for a complete one, which is just what a container engine that was killed leaves behind.
type TarWalk struct {
	Tar  *tar.Reader
	raw  *countReader
	rest int64 // bytes between the read position and the end of the present entry, with its padding
	from int64 // read position at which rest was true
	tail time.Duration
}

const tarBlock = 512

// NewTarWalk walks a tar stream. Behind its end mark the source may go on for limit.
func NewTarWalk(stream io.Reader, limit StallLimit) *TarWalk {
	raw := &countReader{from: stream}
	return &TarWalk{Tar: tar.NewReader(raw), raw: raw, tail: limit.OrDefault()}
}

// Next gives the next entry; io.EOF only behind a whole end mark, io.ErrUnexpectedEOF when it is missing.
func (w *TarWalk) Next() (*tar.Header, error) {
	end := w.from + w.rest
	h, err := w.Tar.Next()
	switch {
	case err == io.EOF && w.raw.n-end < 2*tarBlock:
		return nil, text.As(io.ErrUnexpectedEOF, "it has no end mark")
	case err == io.EOF:
		return nil, w.drain()
	case err != nil:
		return nil, err
	}

	w.from, w.rest = w.raw.n, padded(h)
	return h, nil
}

// ErrNoEnd means that a source went on sending behind the end mark of its archive.
var ErrNoEnd = errors.New("it goes on behind its end mark")

// tailLimit is how many bytes may follow an end mark: tar pads its output to records, of 10 KiB where nobody asks for
// others.
const tailLimit = 1 << 20

// drain reads what follows the end mark, so that the source can end well; io.EOF when it did, ErrNoEnd when it sent
// more than tailLimit or for longer than it may be silent.
func (w *TarWalk) drain() error {
	began, piece := time.Now(), make([]byte, 32<<10)
	for got := 0; got <= tailLimit && time.Since(began) <= w.tail; {
		n, err := w.raw.Read(piece)
		if err != nil {
			return err
		}
		got += n
	}
	return ErrNoEnd
}

func padded(h *tar.Header) int64 {
	if h.Typeflag != tar.TypeReg {
		return 0
	}
	return (h.Size + tarBlock - 1) / tarBlock * tarBlock
}

type countReader struct {
	from io.Reader
	n    int64
}

// Read reads on and counts what came.
func (r *countReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.n += int64(n)
	return n, err
}
