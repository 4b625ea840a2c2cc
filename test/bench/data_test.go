package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
)

func TestDataSetIsWhatTheDesignNames(t *testing.T) {
	d := dataOf(1)
	if d.files() != 20_006 || d.bytes()/1e6 < 857 || d.bytes()/1e6 > 861 {
		t.Errorf("%d files of %d bytes", d.files(), d.bytes())
	}
	for i := range d.small {
		if size := d.smallSize(i); size < 1000 || size > 20_000 {
			t.Fatalf("file %d has %d bytes", i, size)
		}
	}
}

func TestDataSetIsTheSameOnEveryRun(t *testing.T) {
	d := dataOf(1000)
	var once, again bytes.Buffer
	for _, out := range []*bytes.Buffer{&once, &again} {
		if err := d.write(out, "sandbox"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(once.Bytes(), again.Bytes()) {
		t.Error("two runs make two data sets")
	}
	sum := sha256.Sum256(once.Bytes())
	if got, want := hex.EncodeToString(sum[:8]), "224d3e0cd2b19b96"; got != want {
		t.Errorf("the data set is another than before: %s, not %s; figures in docs/benchmarks.md no longer compare", got, want)
	}
}

func TestDataSetIsATar(t *testing.T) {
	d := dataOf(1000)
	var out bytes.Buffer
	if err := d.write(&out, "sandbox"); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&out)
	files, total := 0, int64(0)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil || n != h.Size {
			t.Fatalf("%s: %d of %d bytes, %v", h.Name, n, h.Size, err)
		}
		if h.Typeflag == tar.TypeReg {
			files++
			total += n
		}
	}
	if files != d.files() || total != d.bytes() {
		t.Errorf("%d files of %d bytes, not %d of %d", files, total, d.files(), d.bytes())
	}
}

// Each kind of content is as compressible as its name says.
func TestContents(t *testing.T) {
	text := newText()
	distinct := func(r io.Reader) int {
		seen := map[byte]bool{}
		content, err := io.ReadAll(io.LimitReader(r, 64<<10))
		if err != nil || len(content) != 64<<10 {
			t.Fatalf("%d bytes, %v", len(content), err)
		}
		for _, b := range content {
			seen[b] = true
		}
		return len(seen)
	}
	for name, c := range map[string]struct {
		content     io.Reader
		least, most int
	}{
		"random small file":        {text.small(0), 256, 256},
		"small file of words":      {text.small(19), 15, 30},
		"random big file":          {text.big(1, 1<<20), 256, 256},
		"log":                      {text.big(2, 1<<20), 30, 70},
		"half zeros, at the start": {text.big(4, 1<<20), 256, 256},
		"half zeros, at the end":   {skip(text.big(4, 1<<20), 1<<19), 1, 1},
		"zeros":                    {text.big(5, 1<<20), 1, 1},
	} {
		if got := distinct(c.content); got < c.least || got > c.most {
			t.Errorf("%s: %d different bytes, not %d to %d", name, got, c.least, c.most)
		}
	}
}

func skip(r io.Reader, n int64) io.Reader {
	_, _ = io.CopyN(io.Discard, r, n)
	return r
}
