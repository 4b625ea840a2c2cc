package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

const (
	seed      = 42
	smallMany = 20_000
	bigMany   = 6
	bigSize   = 100 << 20
)

// dataSet is the home that is saved: many small files, of which 85 % are words and 15 % random bytes, and six of 100
// MiB: two random, two logs, one that is zeros from its middle on, and one of zeros alone. The same on every machine.
type dataSet struct {
	small, big int
	bigSize    int64
}

// dataOf is the data set of docs/design.md 9, or a part of it for try-outs.
func dataOf(part int) dataSet {
	return dataSet{small: smallMany / part, big: bigMany, bigSize: int64(bigSize / part)}
}

// bytes is how much all files hold.
func (d dataSet) bytes() int64 {
	total := int64(d.big) * d.bigSize
	for i := range d.small {
		total += d.smallSize(i)
	}
	return total
}

func (d dataSet) files() int { return d.small + d.big }

// smallSize is 1 to 20 KB, a little more often large than small, so that all files together hold 859 MB.
func (d dataSet) smallSize(i int) int64 {
	return 1000 + int64(19_000*math.Pow(rand.New(rand.NewPCG(seed, uint64(i))).Float64(), 0.81))
}

// write streams the data set as a tar with the folder top.
func (d dataSet) write(to io.Writer, top string) error {
	w := tar.NewWriter(to)
	text := newText()
	if err := folder(w, top); err != nil {
		return err
	}
	for i := range d.small {
		if i%100 == 0 {
			if err := folder(w, fmt.Sprintf("%s/notes/%03d", top, i/100)); err != nil {
				return err
			}
		}

		name := fmt.Sprintf("%s/notes/%03d/%05d.md", top, i/100, i)
		if err := file(w, name, 0o644, d.smallSize(i), text.small(i)); err != nil {
			return err
		}
	}

	for i := range d.big {
		if err := file(w, fmt.Sprintf("%s/big-%d.bin", top, i), 0o644, d.bigSize, text.big(i, d.bigSize)); err != nil {
			return err
		}
	}

	return w.Close()
}

func header(name string, mode int64) *tar.Header {
	return &tar.Header{Name: name, Mode: mode, Uid: 1000, Gid: 1000, ModTime: time.Unix(1_780_391_612, 0)}
}

func folder(w *tar.Writer, name string) error { return w.WriteHeader(header(name+"/", 0o755)) }

func file(w *tar.Writer, name string, mode, size int64, content io.Reader) error {
	h := header(name, mode)
	h.Size = size
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.CopyN(w, content, size)
	return err
}

// text makes what is in the files.
type text struct{ words []string }

// newText makes up a vocabulary, so that prose is about as compressible as people's notes.
func newText() text {
	pick := rand.New(rand.NewPCG(seed, 1<<32))
	words := make([]string, 30_000)
	for i := range words {
		var word bytes.Buffer
		for range 1 + pick.IntN(4) {
			word.WriteByte("bcdfghjklmnprstvwz"[pick.IntN(18)])
			word.WriteByte("aeiou"[pick.IntN(5)])
		}
		words[i] = word.String()
	}
	return text{words}
}

// small is the endless content of the i-th small file.
func (t text) small(i int) io.Reader {
	pick := rand.New(rand.NewPCG(seed, 2<<32+uint64(i)))
	if i%20 < 3 {
		return randomBytes(uint64(i))
	}
	return &lines{next: func(b *bytes.Buffer) {
		for range 12 {
			// A product of two uniform numbers makes some words frequent and most of them rare, as in prose.
			b.WriteString(t.words[int(pick.Float64()*pick.Float64()*float64(len(t.words)))])
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}}
}

// big is the content of the i-th big file.
func (t text) big(i int, size int64) io.Reader {
	switch i {
	case 0, 1:
		return randomBytes(1<<40 + uint64(i))
	case 2, 3:
		return t.log(i)
	case 4:
		return io.MultiReader(io.LimitReader(randomBytes(1<<40+uint64(i)), size/2), zeros{})
	}
	return zeros{}
}

func (t text) log(i int) io.Reader {
	pick := rand.New(rand.NewPCG(seed, 3<<32+uint64(i)))
	at := time.Unix(1_780_000_000, 0).UTC()
	return &lines{next: func(b *bytes.Buffer) {
		at = at.Add(time.Duration(pick.IntN(900)) * time.Millisecond)
		fmt.Fprintf(b, "%s %s request=%08x path=/v1/%s/%d status=%d took=%dms\n", at.Format("2006-01-02T15:04:05.000Z"),
			[]string{"INFO", "INFO", "INFO", "WARN", "DEBUG"}[pick.IntN(5)], pick.Uint32(), t.words[pick.IntN(400)], pick.IntN(5000),
			[]int{200, 200, 200, 404, 503}[pick.IntN(5)], pick.IntN(800))
	}}
}

func randomBytes(which uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(which >> (8 * i))
	}
	key[31] = seed
	return rand.NewChaCha8(key)
}

// lines is an endless text, made line by line.
type lines struct {
	next func(*bytes.Buffer)
	left bytes.Buffer
}

// Read gives the next bytes of the text.
func (l *lines) Read(p []byte) (int, error) {
	for l.left.Len() < len(p) {
		l.next(&l.left)
	}
	return l.left.Read(p)
}

type zeros struct{}

// Read gives zeros.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
