package archive

import (
	"fmt"
	"strings"
	"testing"
)

// The text of a large manifest is made in one piece of memory: growing it would hold it several times.
func TestManifestFitsItsRoughSize(t *testing.T) {
	m := Manifest{Schema: SchemaArchive, Sandbox: "alpha", Index: &Index{Entries: []Entry{}, Frames: []Frame{}}}
	digest := strings.Repeat("e", 2*DigestBytes)
	for i := range 5000 {
		m.Index.Entries = append(m.Index.Entries, Entry{
			Path: fmt.Sprintf("some/folder/file-%d", i), Type: "symlink", Size: 1 << 40, Mode: 0o7777, Link: "to/somewhere", Digest: digest,
		})
		m.Index.Frames = append(m.Index.Frames, Frame{Raw: 1 << 20, Size: 1 << 20, Digest: digest, Packed: digest})
	}
	content, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if rough := m.roughSize(); len(content) > rough || len(content) < rough/2 {
		t.Errorf("%d bytes, roughly %d were expected", len(content), rough)
	}
}
