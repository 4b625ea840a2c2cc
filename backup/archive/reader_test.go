package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"
)

// whole is a stream that is proven, whatever it holds.
type whole struct{ io.Reader }

func (whole) Close() error   { return nil }
func (whole) failure() error { return nil }

// What comes after a tar's end is read by nobody, and by nobody it was meant: it is damage.
func TestNothingFollowsTheTarsEnd(t *testing.T) {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeDir, Mode: 0o755}), w.Close()); err != nil {
		t.Fatal(err)
	}
	for more, damaged := range map[string]bool{"": false, "evil": true} {
		s := whole{io.MultiReader(bytes.NewReader(text.Bytes()), bytes.NewReader([]byte(more)))}
		r := &Reader{tar: tar.NewReader(s), Frames: s, want: ArchiveFile{File: ArchiveName}}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		_, err := r.Next()
		if _, ok := errors.AsType[*DamageError](err); ok != damaged || !damaged && !errors.Is(err, io.EOF) {
			t.Errorf("%q follows: %v", more, err)
		}
	}
}
