package private

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	uid := os.Geteuid()
	dir := t.TempDir()
	closed, open := filepath.Join(dir, "closed"), filepath.Join(dir, "open")
	for path, mode := range map[string]os.FileMode{closed: 0o700, open: 0o750} {
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		closed: "", filepath.Join(open, "not/there/yet"): "", open: "mode 0750", link: open,
	} {
		err := Folder(path, uid)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(closed, 4321, -1); err != nil {
			t.Fatal(err)
		}
		if err := Folder(closed, uid); err == nil || !strings.Contains(err.Error(), "user 4321") {
			t.Errorf("a folder of somebody else: %v", err)
		}
	}
}
