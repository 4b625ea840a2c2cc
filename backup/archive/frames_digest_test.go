package archive

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// digestsOf passes a stream of headers and files, in pieces, and cuts it into frames of frame bytes.
func digestsOf(parts [][]byte, frame, piece int) (frames, files []string) {
	d, inFrame := NewStreamDigest(), 0
	for i, part := range parts {
		if i%2 == 1 {
			d.BeginFile(int64(len(part)))
		}
		for len(part) > 0 {
			n := min(piece, len(part), frame-inFrame)
			d.pass(part[:n])
			part, inFrame = part[n:], inFrame+n
			if inFrame == frame {
				frames, inFrame = append(frames, d.endFrame()), 0
			}
		}
		if i%2 == 1 {
			files = append(files, d.EndFile())
		}
	}
	return append(frames, d.endFrame()), files
}

func streamOf(sizes ...int) [][]byte {
	source := rand.NewChaCha8([32]byte{7})
	var parts [][]byte
	for _, size := range sizes {
		part := make([]byte, size)
		_, _ = source.Read(part)
		parts = append(parts, part)
	}
	return parts
}

func TestStreamDigestDoesNotDependOnPieces(t *testing.T) {
	parts := streamOf(512, 1000, 536, 5000, 512, 0, 1024, 64, 1024)
	wantFrames, wantFiles := digestsOf(parts, 1024, 1<<20)
	for i, file := range wantFiles {
		if file != digestOf(parts[2*i+1]) {
			t.Errorf("file %d has another digest than its bytes", i)
		}
	}
	for _, piece := range []int{1, 7, 512, 1000, 1024} {
		frames, files := digestsOf(parts, 1024, piece)
		for i := range frames {
			if frames[i] != wantFrames[i] {
				t.Errorf("in pieces of %d, frame %d has another digest", piece, i)
			}
		}
		for i := range files {
			if files[i] != wantFiles[i] {
				t.Errorf("in pieces of %d, file %d has another digest", piece, i)
			}
		}
	}
}

// Every byte of a stream, of a file or not, counts in the digest of its frame or of one before the end of its file.
func TestStreamDigestSeesEveryByte(t *testing.T) {
	parts := streamOf(64, 300, 64, 0, 40, 17, 100)
	want, _ := digestsOf(parts, 128, 1<<20)
	at := 0
	for _, part := range parts {
		for i := range part {
			part[i] ^= 0x10
			got, _ := digestsOf(parts, 128, 1<<20)
			part[i] ^= 0x10
			if got[at/128] == want[at/128] {
				t.Fatalf("byte %d of the stream does not count", at)
			}
			at++
		}
	}
	if whole := bytes.Join(parts, nil); at != len(whole) {
		t.Fatalf("%d of %d bytes were tried", at, len(whole))
	}
}
