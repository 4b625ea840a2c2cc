package backuptest

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
)

// TarOf makes a tar of regular files.
func TarOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: files[i], Size: int64(len(files[i+1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// BrokenReader fails every read.
type BrokenReader struct{ Err error }

// Read fails with Err.
func (b BrokenReader) Read([]byte) (int, error) { return 0, b.Err }

// Zeros never ends.
type Zeros struct{}

// Read fills p with zeros.
func (Zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Must ends the test when err is one.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
