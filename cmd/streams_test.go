package cmd

import (
	"os"
	"path/filepath"
	"testing"
)

// A program is called by its link where that leads to it, and by its file where it does not.
func TestCalledAs(t *testing.T) {
	dir := t.TempDir()
	self, link, other := filepath.Join(dir, "1.0", "tool"), filepath.Join(dir, "bin", "tool"), filepath.Join(dir, "bin", "other")
	for _, path := range []string{self, other} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}

	t.Setenv("PATH", filepath.Dir(link))
	t.Chdir(dir)
	for name, want := range map[string]string{
		"tool": link, link: link, "bin/tool": link, self: self,
		"other": self, other: self, "gone": self, "": self, // a command line says what it likes
	} {
		if got := calledAs(name, self); got != want {
			t.Errorf("called as %q: got %s, want %s", name, got, want)
		}
	}
}
