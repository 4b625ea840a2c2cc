package backup

import (
	"archive/tar"
	"fmt"
	"io"
	"time"
)

// defaultStall is how long a source may be silent.
const defaultStall = time.Minute

// stallLimit is a stall limit; zero is the default one.
type stallLimit time.Duration

func (l stallLimit) orDefault() time.Duration {
	if l <= 0 {
		return defaultStall
	}
	return time.Duration(l)
}

// tarWalk reads a tar stream and insists on its end mark: archive/tar takes a stream that simply ends between two entries for a
// complete one, which is just what a container engine that was killed leaves behind.
type tarWalk struct {
	tar  *tar.Reader
	raw  *countReader
	rest int64 // bytes between the read position and the end of the present entry, with its padding
	from int64 // read position at which rest was true
}

const tarBlock = 512

func newTarWalk(stream io.Reader) *tarWalk {
	raw := &countReader{from: stream}
	return &tarWalk{tar: tar.NewReader(raw), raw: raw}
}

// next gives the next entry; io.EOF only behind a whole end mark, io.ErrUnexpectedEOF when it is missing.
func (w *tarWalk) next() (*tar.Header, error) {
	end := w.from + w.rest
	h, err := w.tar.Next()
	switch {
	case err == io.EOF && w.raw.n-end < 2*tarBlock:
		return nil, fmt.Errorf("it has no end mark: %w", io.ErrUnexpectedEOF)
	case err == io.EOF:
		return nil, drain(w.raw)
	case err != nil:
		return nil, err
	}
	w.from, w.rest = w.raw.n, padded(h)
	return h, nil
}

// drain reads what follows the end mark (tar pads its output to 10 KiB), so that the source can end well; io.EOF when it did.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return io.EOF
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
