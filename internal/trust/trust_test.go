package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stranger is a user that is neither root nor us.
const stranger = 65533

// place is a folder of our own, below the sticky /tmp, and the calls that build on it.
type place struct {
	*testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	return place{t, dir}
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

func (p place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p place) folder(name string, mode fs.FileMode) {
	p.Helper()
	p.must(os.MkdirAll(p.path(name), 0o755))
	p.must(os.Chmod(p.path(name), mode))
}

func (p place) file(name string, mode fs.FileMode) {
	p.Helper()
	p.folder(filepath.Dir(name), 0o755)
	p.must(os.WriteFile(p.path(name), []byte("#!/bin/sh\n"), 0o755))
	p.must(os.Chmod(p.path(name), mode))
}

// give needs root; without it the cases about other users' files are skipped by name.
func (p place) give(name string) {
	p.Helper()
	if os.Geteuid() != 0 {
		p.Skipf("only root can make %s belong to another user", name)
	}
	p.must(os.Lchown(p.path(name), stranger, stranger))
}

func (p place) trusted(name string) {
	p.Helper()
	if err := Executable(p.path(name), os.Geteuid()); err != nil {
		p.Errorf("%s: got %v, want trusted", name, err)
	}
}

func (p place) refused(name, why string) {
	p.Helper()
	if err := Executable(p.path(name), os.Geteuid()); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), why) {
		p.Errorf("%s: got %v, want a refusal that says %q", name, err, why)
	}
}

func TestOwnProgramsAreTrusted(t *testing.T) {
	p := newPlace(t)
	p.file("bin/tool", 0o755)
	p.trusted("bin/tool")
	p.must(os.Symlink("tool", p.path("bin/relative")))
	p.trusted("bin/relative")
	p.must(os.Symlink(p.path("bin"), p.path("absolute")))
	p.trusted("absolute/tool")
	p.must(os.Symlink("../bin/./tool", p.path("bin/around")))
	p.trusted("bin/around")
	if err := Executable("/bin/sh", os.Geteuid()); err != nil {
		t.Errorf("/bin/sh: %v", err)
	}
}

func TestWhatIsNoProgram(t *testing.T) {
	p := newPlace(t)
	p.file("plain", 0o644)
	p.folder("dir", 0o755)
	p.must(syscall.Mkfifo(p.path("pipe"), 0o755))
	for _, name := range []string{"plain", "dir", "pipe"} {
		err := Executable(p.path(name), os.Geteuid())
		if !errors.Is(err, ErrUntrusted) || !NotExecutable(err) {
			t.Errorf("%s: got %v, want a refusal as no program", name, err)
		}
	}
	p.must(os.Symlink("nowhere", p.path("dangling")))
	for _, name := range []string{"none", "dangling", "none/tool"} {
		if err := Executable(p.path(name), os.Geteuid()); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: got %v, want %v", name, err, fs.ErrNotExist)
		}
	}
	p.must(os.Symlink("loop", p.path("loop")))
	if err := Executable(p.path("loop"), os.Geteuid()); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: got %v, want %v", err, syscall.ELOOP)
	}
	if err := Executable("bin/tool", os.Geteuid()); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a relative path: got %v", err)
	}
}

func TestWhatOthersCanWriteIsRefused(t *testing.T) {
	p := newPlace(t)
	p.file("group/tool", 0o775)
	if os.Geteuid() == 0 { // Another user's own group may write, see TestPrivateGroupsAreTheirOwners.
		p.refused("group/tool", "can be written")
	}
	p.file("world/tool", 0o757)
	p.refused("world/tool", "can be written")
	p.file("open/tool", 0o755)
	p.folder("open", 0o777)
	p.refused("open/tool", "can be written")
	p.file("above/bin/tool", 0o755)
	p.folder("above", 0o757)
	p.refused("above/bin/tool", "can be written")
	if err := Executable(p.path("world/tool"), os.Geteuid()); NotExecutable(err) {
		t.Error("a program that others can write was called no program")
	}
}

// Nobody else can replace our file in a sticky folder of root or of ours, as in /tmp.
func TestStickyFolders(t *testing.T) {
	p := newPlace(t)
	p.file("sticky/tool", 0o755)
	p.folder("sticky", 0o777|fs.ModeSticky)
	p.trusted("sticky/tool")
	p.give("sticky")
	p.refused("sticky/tool", "belongs to user 65533")
}

func TestOtherUsersFilesAreRefused(t *testing.T) {
	p := newPlace(t)
	p.file("file/tool", 0o755)
	p.give("file/tool")
	p.refused("file/tool", "belongs to user 65533")
	p.file("folder/tool", 0o755)
	p.give("folder")
	p.refused("folder/tool", "belongs to user 65533")
	p.file("root/tool", 0o755)
	if err := Executable(p.path("root/tool"), stranger); err != nil && os.Geteuid() == 0 {
		t.Errorf("root's program for another user: got %v, want trusted", err)
	}
}

// A link of another user can be turned elsewhere between our look and the start, wherever it leads now.
func TestOtherUsersLinksAreRefused(t *testing.T) {
	p := newPlace(t)
	p.file("bin/tool", 0o755)
	p.folder("shared", 0o777|fs.ModeSticky)
	p.must(os.Symlink("../bin/tool", p.path("shared/tool")))
	p.must(os.Symlink("../bin", p.path("shared/bin")))
	p.trusted("shared/tool")
	p.trusted("shared/bin/tool")
	p.give("shared/tool")
	p.give("shared/bin")
	p.refused("shared/tool", "belongs to user 65533")
	p.refused("shared/bin/tool", "belongs to user 65533")
	// A trusted link through an untrusted folder is no better.
	p.file("foreign/tool", 0o755)
	p.must(os.Symlink("../foreign/tool", p.path("bin/through")))
	p.folder("foreign", 0o777)
	p.refused("bin/through", "can be written")
}

func TestFolder(t *testing.T) {
	p := newPlace(t)
	p.folder("safe", 0o755)
	p.folder("open", 0o777)
	p.file("file", 0o755)
	if err := Folder(p.path("safe"), os.Geteuid()); err != nil {
		t.Errorf("safe: %v", err)
	}
	for _, name := range []string{"open", "file"} {
		if err := Folder(p.path(name), os.Geteuid()); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: got %v, want %v", name, err, ErrUntrusted)
		}
	}
	if err := Folder(p.path("none"), os.Geteuid()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: got %v", err)
	}
	if err := Folder("/", os.Geteuid()); err != nil {
		t.Errorf("/: %v", err)
	}
}

// What is left to ask of a replaced file, which has no path any more.
func TestFileIsJudgedWithoutItsFolders(t *testing.T) {
	p := newPlace(t)
	p.file("tool", 0o755)
	f, err := os.Open(p.path("tool"))
	p.must(err)
	defer f.Close()
	p.must(os.Remove(p.path("tool")))
	info, err := f.Stat()
	p.must(err)
	if err := File(info, "tool", os.Geteuid()); err != nil {
		t.Errorf("deleted, ours: %v", err)
	}
	p.must(f.Chmod(0o777))
	info, err = f.Stat()
	p.must(err)
	if err := File(info, "tool", os.Geteuid()); !errors.Is(err, ErrUntrusted) {
		t.Errorf("deleted, writable by all: got %v", err)
	}
}

func TestPrivateGroupsAreTheirOwners(t *testing.T) {
	const groups = "root:x:0:\nann:x:1000:\nbob:x:1001:bob\nteam:x:1002:ann,bob\nstaff:x:1003:eve\n"
	for gid, want := range map[int]bool{1000: true, 1001: true, 1002: false, 1003: false, 4242: false} {
		if got := onlyMember(groups, gid); got != want {
			t.Errorf("group %d: got %v, want %v", gid, got, want)
		}
	}
	if privateGroup(&syscall.Stat_t{Uid: 0, Gid: 0}) || privateGroup(&syscall.Stat_t{Uid: 1000, Gid: 1002}) {
		t.Error("root's group, or another user's, was taken for a private one")
	}
}
