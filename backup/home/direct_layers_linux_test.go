package home

import (
	"os"
	"path/filepath"
	"testing"
)

// Docker mounts an image of more than some twenty layers from within its own folder: the kernel then has the layer by a relative path.
func TestALayerByAnotherPath(t *testing.T) {
	real := filepath.Join(t.TempDir(), "0123abcd", "diff")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for upper, want := range map[string]bool{
		real: true, link: true, "0123abcd/diff": true, "123abcd/diff": false, "other/diff": false, "": false, filepath.Dir(real): false, "/nowhere": false,
	} {
		if got := isLayer(upper, real); got != want {
			t.Errorf("%q is the layer: %v, want %v", upper, got, want)
		}
	}
}
