package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func plain(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
}

// Readers see the old or the new content, everybody may read it, and nothing is left beside it that a collector would read.
func TestPublishReplacesWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "status.prom")
	if err := Publish(path, plain("first")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Publish(path, func(w io.Writer) error {
		names, _ := filepath.Glob(filepath.Join(dir, "*.prom"))
		if hidden, _ := filepath.Glob(filepath.Join(dir, ".*.prom")); len(names) != 1 || len(hidden) != 0 {
			t.Errorf("a collector would read the part as well: %q %q", names, hidden)
		}
		return errors.Join(plain("half")(w), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	content, _ := os.ReadFile(path)
	info, statErr := os.Stat(path)
	if statErr != nil || string(content) != "first" || info.Mode().Perm() != 0o644 {
		t.Errorf("%q, %v, %v", content, info, statErr)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left beside it: %v", entries)
	}
}

func TestPublishReplacesPlainFilesOnly(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("kept"), 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dir, os.DevNull} {
		if err := Publish(path, plain("new")); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if content, _ := os.ReadFile(target); string(content) != "kept" {
		t.Errorf("the link was followed: %q", content)
	}
}

// What is there under a folder's name stays, also where a rename would take its place: an empty folder, or a file.
func TestAStagedFolderReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "empty"), 0o700), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"empty", "file"} {
		s, err := Stage(Real{}, dir, name)
		if err == nil {
			err = s.Write("manifest", []byte("new"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	}
}
