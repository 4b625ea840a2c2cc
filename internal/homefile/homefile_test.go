package homefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	home, outside := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, "dir/file"), "inside")
	write(filepath.Join(outside, "secret"), "outside")
	link("dir/file", "relative")
	link("dir", "folder-link")
	link(filepath.Join(home, "dir/file"), "absolute")
	link(filepath.Join(outside, "secret"), "escape")
	link("../"+filepath.Base(outside)+"/secret", "climb")
	link(outside, "escape-folder")
	link("loop", "loop")
	link("nowhere", "dangling")

	for name, want := range map[string]string{"dir/file": "inside", "relative": "inside", "folder-link/file": "inside", "absolute": "inside"} {
		if got, err := Read(home, filepath.Join(home, name), 100); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"escape", "climb", "escape-folder/secret", "loop"} {
		if got, err := Read(home, filepath.Join(home, name), 100); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %q, %v; want a refusal", name, got, err)
		}
	}
	for _, name := range []string{"none", "dangling", "dir/none", "none/file"} {
		if _, err := Read(home, filepath.Join(home, name), 100); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want %v", name, err, fs.ErrNotExist)
		}
	}
	if got, err := Read(home, filepath.Join(outside, "secret"), 100); err != nil || string(got) != "outside" {
		t.Errorf("a path outside the home: got %q, %v", got, err)
	}
	if got, err := Read("", filepath.Join(home, "dir/file"), 100); err != nil || string(got) != "inside" {
		t.Errorf("no home: got %q, %v", got, err)
	}
}

func TestHomeItselfMayBeALink(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "real/file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(root, "home")); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(filepath.Join(root, "home"), filepath.Join(root, "home/file"), 10); err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A pipe, a folder or a device in place of the file neither blocks nor is read.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	home := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(home, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for home, path := range map[string]string{home: filepath.Join(home, "pipe"), "/": "/dev/zero", "/tmp": "/tmp", "": "/dev/null"} {
		done := make(chan error, 1)
		go func() {
			_, err := Read(home, path, 10)
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s: got %v, want %v", path, err, ErrNotRegular)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: still reading", path)
		}
	}
}

func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read("", path, 5); err != nil || string(got) != "12345" {
		t.Errorf("just the limit: got %q, %v", got, err)
	}
	if got, err := Read("", path, 4); !errors.Is(err, ErrTooLarge) || got != nil {
		t.Errorf("above the limit: got %q, %v", got, err)
	}
	// A file of no announced size can still be long: the content counts.
	if got, err := Read("", "/proc/cpuinfo", 4); !errors.Is(err, ErrTooLarge) || got != nil {
		t.Errorf("/proc: got %q, %v", got, err)
	}
}
