package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// savedIn makes a first backup in dir: small files, and one of several frames between them.
func savedIn(t *testing.T, dir string) *Manifest {
	t.Helper()
	m := &Manifest{Schema: Schema, ID: "20261127T120000Z-abcd", Archive: ArchiveFile{File: ArchiveName}}
	var packed bytes.Buffer
	a := New(t.Context(), Target{Sink: &packed, Index: io.Discard, ID: m.ID})
	source := rand.NewChaCha8([32]byte{7})
	for i, size := range []int64{10, 2000, 6 << 20, 0, 300, blockMax, 5000} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("file-%d", i), Mode: 0o600, Size: size}
		if err := a.Add(h, io.LimitReader(source, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	a.Describe(m)
	m.Index, m.Archive.Bytes = &Index{Runs: a.Runs()}, int64(packed.Len())
	if err := os.WriteFile(filepath.Join(dir, ArchiveName), packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// counted counts how often the bytes at each place are read.
type counted struct {
	io.ReaderAt
	mu    sync.Mutex
	reads map[int64]int
}

// ReadAt reads, and counts.
func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	c.mu.Lock()
	c.reads[at]++
	c.mu.Unlock()
	return c.ReaderAt.ReadAt(p, at)
}

// walked goes through the headers of a backup, and gives how often each frame of its pack was read.
func walked(t *testing.T, dir string, m *Manifest, proofs Proofs) (reads []int, err error) {
	t.Helper()
	r, err := OpenHeads(t.Context(), dir, m, nil, proofs)
	if err != nil {
		t.Fatal(err)
	}
	runs := r.Frames.(*runReader)
	pack := runs.packs.open[m.ID]
	count := &counted{ReaderAt: pack.data, reads: map[int64]int{}}
	pack.data = count
	for err == nil {
		_, err = r.Next()
	}
	if closed := r.Close(); closed != nil {
		t.Error(closed)
	}
	if errors.Is(err, io.EOF) && len(runs.frames.frames) > 0 {
		t.Errorf("%d frames that were passed are still in memory", len(runs.frames.frames))
	}
	for _, at := range pack.Table.starts {
		reads = append(reads, count.reads[at])
	}
	return reads, err
}

// Promise: verify reads what backups share once. Every frame is proven, also where the walk over the headers passes over it; what is
// proven is read again only for the headers in it.
func TestHeadsReadEachFrameOnce(t *testing.T) {
	dir, proofs := t.TempDir(), Proofs{}
	m := savedIn(t, dir)
	reads, err := walked(t, dir, m, proofs)
	if !errors.Is(err, io.EOF) || len(reads) < 6 {
		t.Fatal(reads, err)
	}
	for frame, n := range reads {
		if n != 1 {
			t.Errorf("frame %d was read %d times", frame, n)
		}
	}
	again, err := walked(t, dir, m, proofs)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if last := len(again) - 1; again[0] != 1 || again[last] != 1 || again[2] != 0 || again[3] != 0 {
		t.Errorf("frames that were proven were read again: %v", again)
	}
}

// Promise: a damaged frame is found where it is passed over, and known to the next backup that needs it, which does not read it.
func TestHeadsFindAndRememberDamage(t *testing.T) {
	dir, proofs := t.TempDir(), Proofs{}
	m := savedIn(t, dir)
	path := filepath.Join(dir, ArchiveName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[3<<20] ^= 1 // in the middle of the large file
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var told []error
	for range 2 {
		_, err := walked(t, dir, m, proofs)
		if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Kind != DamageFrame {
			t.Fatalf("err = %v", err)
		}
		told = append(told, err)
	}
	content[3<<20] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = walked(t, dir, m, proofs)
	if told = append(told, err); fmt.Sprint(told[0]) != fmt.Sprint(told[1]) || fmt.Sprint(told[1]) != fmt.Sprint(told[2]) {
		t.Errorf("it was told as %v", told)
	}
}

// Whoever verifies many backups unpacks what has headers ahead of the walk over them, and nothing that has none.
func TestAPieceKnowsWhetherItHasHeaders(t *testing.T) {
	for about, c := range map[string]struct {
		lengths []uint32
		want    bool
	}{
		"small files":        {[]uint32{512, 2000, 1072, 300, 724}, true},
		"a file's end":       {[]uint32{blockMax, blockMax, 5000, 1144, blockMax}, true},
		"a large file":       {[]uint32{blockMax, blockMax, blockMax}, false},
		"its last block":     {[]uint32{blockMax, blockMax, 5000}, false},
		"pages":              {[]uint32{4096, 4096, 4096, 4096}, false},
		"a block of a frame": {[]uint32{512}, false},
	} {
		var p piece
		for _, n := range c.lengths {
			p.blocks = append(p.blocks, Block{Length: n})
		}
		if p.hasHeaders() != c.want {
			t.Errorf("%s: %v", about, !c.want)
		}
	}
}
