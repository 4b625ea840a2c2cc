package home

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// layerOf makes a folder as a writable layer is, on a file system that keeps times.
func layerOf(t *testing.T) string {
	t.Helper()
	layer := t.TempDir()
	for name, body := range map[string]string{"sandbox/a": "a", "sandbox/deep/er/b": "b", "sandbox/c": "c", "etc/passwd": "not of the home"} {
		path := filepath.Join(layer, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(body), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := scanLayer(t.Context(), layer, "/sandbox"); err != nil && strings.Contains(err.Error(), "file system") {
		t.Skipf("SKIPPED, needs a temporary folder on ext4, xfs or btrfs: %v", err)
	}
	return layer
}

func scanned(t *testing.T, layer string) scan {
	t.Helper()
	s, err := scanLayer(t.Context(), layer, "/sandbox")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStandingChangesWithEveryChange makes each kind of change that a sandbox can make to its home, also those that put the time of
// the last write back.
func TestStandingChangesWithEveryChange(t *testing.T) {
	at := func(layer, name string) string { return filepath.Join(layer, "sandbox", name) }
	before := time.Unix(1_600_000_000, 0)
	changes := map[string]func(layer string) error{
		"a byte, with its time put back": func(l string) error {
			info, err := os.Stat(at(l, "a"))
			return errors.Join(err, os.WriteFile(at(l, "a"), []byte("x"), 0o644), os.Chtimes(at(l, "a"), info.ModTime(), info.ModTime()))
		},
		"a byte through a mapping": func(l string) error { return writeMapped(at(l, "a")) },
		"a byte deep down":         func(l string) error { return os.WriteFile(at(l, "deep/er/b"), []byte("x"), 0o644) },
		"longer":                   func(l string) error { return os.WriteFile(at(l, "a"), []byte("aa"), 0o644) },
		"mode":                     func(l string) error { return os.Chmod(at(l, "a"), 0o600) },
		"time":                     func(l string) error { return os.Chtimes(at(l, "a"), before, before) },
		"attribute":                func(l string) error { return unix.Setxattr(at(l, "a"), "user.note", []byte("x"), 0) },
		"removed":                  func(l string) error { return os.Remove(at(l, "c")) },
		"added":                    func(l string) error { return os.WriteFile(at(l, "new"), nil, 0o644) },
		"renamed":                  func(l string) error { return os.Rename(at(l, "a"), at(l, "z")) },
		"two swapped": func(l string) error {
			return unix.Renameat2(unix.AT_FDCWD, at(l, "a"), unix.AT_FDCWD, at(l, "c"), unix.RENAME_EXCHANGE)
		},
		"linked elsewhere": func(l string) error { return os.Link(at(l, "a"), filepath.Join(l, "etc/a")) },
		"a copy in its place": func(l string) error {
			return errors.Join(os.WriteFile(at(l, "a2"), []byte("a"), 0o644), os.Rename(at(l, "a2"), at(l, "a")))
		},
		"the whole home in another's place": func(l string) error {
			return errors.Join(os.Rename(at(l, ""), filepath.Join(l, "was")), os.CopyFS(at(l, ""), os.DirFS(filepath.Join(l, "was"))))
		},
		"the home gone": func(l string) error { return os.RemoveAll(at(l, "")) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layer := layerOf(t)
			first := scanned(t, layer)
			time.Sleep(20 * time.Millisecond) // a tick of the file system's clock
			if again := scanned(t, layer); again != first {
				t.Fatalf("without a change %+v became %+v", first, again)
			}
			if err := change(layer); err != nil {
				t.Fatal(err)
			}
			if now := scanned(t, layer); now.digest == first.digest {
				t.Errorf("it still stands as %+v", now)
			}
		})
	}
}

// writeMapped writes through a mapping whose pages were clean.
func writeMapped(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 1, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	m[0] = 'x'
	return syscall.Munmap(m)
}

// TestStandingOfAMappingThatStaysOpen is the case for which the file system is flushed: a page that was written once is written again
// through the same mapping, which changes no time until the page has been on the disk.
func TestStandingOfAMappingThatStaysOpen(t *testing.T) {
	layer := layerOf(t)
	f, err := os.OpenFile(filepath.Join(layer, "sandbox/a"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := syscall.Mmap(int(f.Fd()), 0, 1, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(m) }()
	m[0] = 'x'
	select {
	case <-Flushing(layer):
	case <-time.After(5 * time.Minute):
		t.Fatal("the disk did not take what was written")
	}
	first := scanned(t, layer)
	time.Sleep(20 * time.Millisecond)
	m[0] = 'y'
	if now := scanned(t, layer); now == first {
		t.Errorf("it was written to and still stands as %+v", now)
	}
}

func TestStandingIgnoresWhatIsNotOfTheHome(t *testing.T) {
	layer := layerOf(t)
	first := scanned(t, layer)
	if err := os.WriteFile(filepath.Join(layer, "etc/passwd"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if now := scanned(t, layer); now != first {
		t.Errorf("a file outside the home changed it from %+v to %+v", first, now)
	}
	if first.entries != 7 { // the root, sandbox, a, deep, er, b, c
		t.Errorf("%d entries, want 7", first.entries)
	}
}

// TestStandingFollowsNoLink holds when a sandbox puts a link where its home or a folder was.
func TestStandingFollowsNoLink(t *testing.T) {
	layer := layerOf(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(layer, "sandbox/link")); err != nil {
		t.Fatal(err)
	}
	first := scanned(t, layer)
	if err := os.WriteFile(filepath.Join(outside, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if now := scanned(t, layer); now != first {
		t.Errorf("it looked behind a link: %+v, then %+v", first, now)
	}
	moved := filepath.Join(layer, "moved")
	if err := errors.Join(os.Rename(filepath.Join(layer, "sandbox"), moved), os.Symlink(moved, filepath.Join(layer, "sandbox"))); err != nil {
		t.Fatal(err)
	}
	if s, err := scanLayer(t.Context(), layer, "/sandbox"); err == nil {
		t.Errorf("a home that is a link was looked through: %+v", s)
	}
}

func TestStandingIsRefused(t *testing.T) {
	layer := layerOf(t)
	if s, err := scanLayer(t.Context(), "/proc", "/tty"); err == nil {
		t.Errorf("a file system that keeps no times was believed: %+v", s)
	}
	if s, err := scanLayer(t.Context(), filepath.Join(layer, "missing"), "/sandbox"); err == nil {
		t.Errorf("a layer that is not there has a standing: %+v", s)
	}
	mount := filepath.Join(layer, "sandbox/deep")
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, ""); err != nil {
		t.Logf("not tried, needs root: another file system in the layer: %v", err)
	} else {
		s, err := scanLayer(t.Context(), layer, "/sandbox")
		if err == nil {
			t.Errorf("another file system in the layer was believed: %+v", s)
		}
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	}
	over, cancel := context.WithCancelCause(t.Context())
	errOver := errors.New("over")
	cancel(errOver)
	if _, err := scanLayer(over, layer, "/sandbox"); !errors.Is(err, errOver) {
		t.Errorf("after the end of its context: %v", err)
	}
}
