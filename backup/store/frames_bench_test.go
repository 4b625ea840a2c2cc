package store

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"sandkeeper/backup/archive"
)

// dataSet is the home of docs/design.md 9: small files of 1–20 KB and big ones of 100 MiB, two thirds of the bytes
// text and the rest incompressible. Bodies are slices of two pools, so that making them costs next to nothing.
type dataSet struct {
	small, big  int
	text, noise []byte
}

func newDataSet(small, big int) dataSet {
	pick := rand.New(rand.NewPCG(7, 11))
	var words bytes.Buffer
	for words.Len() < 32<<20 {
		n := pick.IntN(1 + pick.IntN(4000)) // rare and common words, as in prose
		fmt.Fprintf(&words, "%c%x%c ", 'a'+n%26, n*n, 'a'+n%7)
	}
	noise := make([]byte, 32<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	return dataSet{small: small, big: big, text: words.Bytes()[:32<<20], noise: noise}
}

func (d dataSet) add(_ context.Context, a *archive.Archive) error {
	pick := rand.New(rand.NewPCG(1, 2))
	modified := time.Unix(1700000000, 0)
	if err := a.Add(&tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755, ModTime: modified}, nil); err != nil {
		return err
	}
	for i := range d.small + d.big {
		size := 1<<10 + pick.IntN(19<<10)
		if i >= d.small {
			size = 100 << 20
		}
		pool := d.text
		if i%3 == 0 {
			pool = d.noise
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("d%02d/file-%d.md", i%100, i), Size: int64(size), Mode: 0o644, ModTime: modified}
		if err := a.Add(h, &poolReader{pool: pool, at: pick.IntN(len(pool) - 20<<10)}); err != nil {
			return err
		}
	}
	return nil
}

// poolReader reads a pool round and round.
type poolReader struct {
	pool []byte
	at   int
}

func (p *poolReader) Read(b []byte) (int, error) {
	n := copy(b, p.pool[p.at:])
	p.at = (p.at + n) % len(p.pool)
	return n, nil
}

func benchData() dataSet {
	if testing.Short() {
		return newDataSet(2000, 0)
	}
	return newDataSet(20_000, 6)
}

func BenchmarkArchive(b *testing.B) {
	data := benchData()
	s := testStore(b, Options{})
	n := newOf("alpha")
	n.Fresh = true
	for b.Loop() {
		made, err := s.Create(b.Context(), n, data.add)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(made.Manifest.Content.Bytes)
		b.ReportMetric(float64(made.Manifest.Archive.Bytes)/1e6, "MB-archive")
		if err := s.Remove(b.Context(), made, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArchiveUnchanged(b *testing.B) {
	data := benchData()
	s := testStore(b, Options{})
	first, err := s.Create(b.Context(), newOf("alpha"), data.add)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(first.Manifest.Content.Bytes)
	for b.Loop() {
		if _, err := s.Create(b.Context(), newOf("alpha"), data.add); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	data := benchData()
	s := testStore(b, Options{})
	made, err := s.Create(b.Context(), newOf("alpha"), data.add)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(made.Manifest.Content.Bytes)
	for b.Loop() {
		if err := s.Verify(b.Context(), made, true); err != nil {
			b.Fatal(err)
		}
	}
}

// The memory of a capture does not grow with its size: 600 MB go through in less than 64 MiB of live heap.
func TestArchiveMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped by -short: captures 600 MB")
	}
	data := newDataSet(0, 6)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := testStore(t, Options{})
	_, err := s.Create(t.Context(), newOf("alpha"), func(ctx context.Context, a *archive.Archive) error {
		err := data.add(ctx, a)
		runtime.GC()
		runtime.ReadMemStats(&after)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MiB are live at the end of a capture", grown>>20)
	}
}
