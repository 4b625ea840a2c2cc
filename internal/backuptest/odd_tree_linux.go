package backuptest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// accessList is the ACL "user::rw-,user:1001:r--,group::r--,mask::r--,other::---" as the kernel keeps it
// (linux/posix_acl_xattr.h).
const accessList = "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe9\x03\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"

// netBind is the capability cap_net_bind_service=ep as the kernel keeps it (linux/capability.h, version 2).
const netBind = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// MakeOddTree fills the empty folder dir with what naive copies lose, and returns how many kinds of that there are. It
// wants root and a file system with extended attributes.
func MakeOddTree(t *testing.T, dir string) {
	t.Helper()
	o := oddTree{t: t, dir: dir}
	o.attributes()
	o.owners()
	o.holes()
	o.names()
	o.deep()
	o.times()
}

type oddTree struct {
	t   *testing.T
	dir string
}

func (o oddTree) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o oddTree) file(name, content string) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	o.must(os.MkdirAll(filepath.Dir(path), 0o755))
	o.must(os.WriteFile(path, []byte(content), 0o644))
	return path
}

func (o oddTree) attributes() {
	o.must(unix.Setxattr(o.file("attributes/user", "u"), "user.note", []byte("a value\x00with a zero"), 0))
	o.must(unix.Setxattr(o.file("attributes/trusted", "t"), "trusted.mark", []byte{0, 1, 2, 0xff}, 0))
	o.must(unix.Setxattr(o.file("attributes/list", "l"), "system.posix_acl_access", []byte(accessList), 0))
	o.must(unix.Setxattr(o.file("attributes/able", "c"), "security.capability", []byte(netBind), 0))
	o.must(unix.Setxattr(filepath.Join(o.dir, "attributes"), "user.folder", []byte("f"), 0))
	o.must(os.Mkdir(filepath.Join(o.dir, "inherited"), 0o750))
	o.must(unix.Setxattr(filepath.Join(o.dir, "inherited"), "system.posix_acl_default", []byte(accessList), 0))
	o.must(os.Symlink("user", filepath.Join(o.dir, "attributes/link")))
	o.must(unix.Lsetxattr(filepath.Join(o.dir, "attributes/link"), "trusted.link", []byte("l"), 0))
}

func (o oddTree) owners() {
	o.must(os.Lchown(o.file("owners/other", "o"), 4000000000, 12345))
	setuid := o.file("owners/setuid", "s")
	o.must(os.Chown(setuid, 1000, 1000))
	o.must(unix.Chmod(setuid, 0o6755))
	shut := filepath.Join(o.dir, "owners/shut")
	o.must(os.Mkdir(shut, 0o755))
	o.file("owners/shut/in", "behind a closed door")
	o.must(unix.Chmod(shut, 0))
	sticky := filepath.Join(o.dir, "owners/sticky")
	o.must(os.Mkdir(sticky, 0o755))
	o.must(unix.Chmod(sticky, 0o1777))
	o.must(os.Symlink("/etc/passwd", filepath.Join(o.dir, "owners/away")))
	o.must(os.Lchown(filepath.Join(o.dir, "owners/away"), 1000, 1001))
}

func (o oddTree) holes() {
	for name, parts := range map[string][]int64{
		"holes/small": {8192}, "holes/large": {1 << 20, 5 << 20}, "holes/start": {0, 2 << 20}, "holes/all": {},
	} {
		f, err := os.Create(o.file(name, ""))
		o.must(err)
		for _, at := range parts {
			_, err := f.WriteAt([]byte("data at "+name), at)
			o.must(err)
		}
		o.must(f.Truncate(8 << 20))
		o.must(f.Close())
	}

	o.must(os.Truncate(filepath.Join(o.dir, "holes/small"), 64<<10))
	zeros, err := os.Create(o.file("holes/no-hole", "")) // written zeros are no hole
	o.must(err)
	_, err = zeros.Write(make([]byte, 128<<10))
	o.must(err)
	o.must(zeros.Close())
}

func (o oddTree) names() {
	twice := o.file("names/twice", "one file with two names")
	o.must(os.Link(twice, filepath.Join(o.dir, "names/once-more")))
	o.must(os.Link(twice, filepath.Join(o.dir, "owners/elsewhere")))
	o.must(os.Symlink("twice", filepath.Join(o.dir, "names/l1")))
	o.must(unix.Linkat(unix.AT_FDCWD, filepath.Join(o.dir, "names/l1"), unix.AT_FDCWD, filepath.Join(o.dir, "names/l2"), 0))
	o.file("names/not-\xff-utf8", "odd")
	o.file("names/line\nend \t'\"", "odd")
	o.file("names/empty", "")
}

// deep makes a path of more than 4,096 bytes, with a file and two names of it at its end.
func (o oddTree) deep() {
	at, err := unix.Open(o.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	o.must(err)
	name := "deep-" + strings.Repeat("x", 195)
	for range 25 {
		o.must(unix.Mkdirat(at, name, 0o711))
		next, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		o.must(err)
		_ = unix.Close(at)
		at = next
	}

	fd, err := unix.Openat(at, "bottom", unix.O_WRONLY|unix.O_CREAT, 0o640)
	o.must(err)
	_, err = unix.Write(fd, []byte("at the bottom"))
	o.must(err)
	_ = unix.Close(fd)
	o.must(unix.Linkat(at, "bottom", at, "bottom-too", 0))
	o.must(unix.Symlinkat("bottom", at, "to-bottom"))
	_ = unix.Close(at)
}

func (o oddTree) times() {
	for name, at := range map[string]unix.Timespec{
		"times/old": {Sec: -86400*365*20 - 1, Nsec: 500_000_001}, "times/exact": {Sec: 1700000000, Nsec: 123456789}, "times/whole": {Sec: 1600000000},
	} {
		o.must(unix.UtimesNanoAt(unix.AT_FDCWD, o.file(name, name), []unix.Timespec{at, at}, 0))
	}

	o.must(os.Symlink("exact", filepath.Join(o.dir, "times/link")))
	at := unix.Timespec{Sec: 1500000000, Nsec: 987654321}
	o.must(unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(o.dir, "times/link"), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
	o.must(unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(o.dir, "times"), []unix.Timespec{at, at}, 0))
}

// TreeFacts is all that can be seen of a folder and what is in it, one line for each path: kind, mode, owner, time,
// size, link, names of the same file, attributes, where it has data, and the digest of its bytes.
func TreeFacts(t *testing.T, dir string) map[string]string {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := treeWalk{t: t, facts: map[string]string{}, first: map[uint64]string{}}
	w.folder(fd, ".")
	return w.facts
}

type treeWalk struct {
	t     *testing.T
	facts map[string]string
	first map[uint64]string
}

func (w treeWalk) folder(fd int, name string) {
	w.t.Helper()
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	if name == "." {
		w.note(fd, ".", ".")
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(names)
	for _, child := range names {
		path := filepath.Join(name, child)
		w.note(fd, child, path)
		if strings.HasPrefix(w.facts[path], "40") {
			below, err := unix.Openat(fd, child, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
			if err != nil {
				w.t.Fatal(err)
			}
			w.folder(below, path)
		}
	}
}

func (w treeWalk) note(at int, name, path string) {
	w.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		w.t.Fatal(err)
	}
	said := fmt.Sprintf("%o %d:%d %d.%09d %s", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, attributesAt(w.t, at, name))
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFDIR && st.Nlink > 1 {
		if w.first[st.Ino] == "" {
			w.first[st.Ino] = path
		}
		said += " same as " + w.first[st.Ino]
	}

	switch kind {
	case unix.S_IFLNK:
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(at, name, target)
		if err != nil {
			w.t.Fatal(err)
		}
		said += " -> " + string(target[:n])
	case unix.S_IFREG:
		said += fmt.Sprintf(" %d %s", st.Size, contentAt(w.t, at, name, st.Size))
	}

	w.facts[path] = said
}

func attributesAt(t *testing.T, at int, name string) string {
	t.Helper()
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	list := make([]byte, 4096)
	n, err := unix.Listxattr(path, list)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
	slices.Sort(names)
	var found []string
	for _, key := range names {
		value := make([]byte, 4096)
		if n, err := unix.Getxattr(path, key, value); err == nil {
			found = append(found, key+"="+hex.EncodeToString(value[:n]))
		}
	}

	return "[" + strings.Join(found, " ") + "]"
}

// contentAt is a file's digest and where it has data.
func contentAt(t *testing.T, at int, name string, size int64) string {
	t.Helper()
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	said := ""
	for pos := int64(0); pos < size; {
		from, err := f.Seek(pos, unix.SEEK_DATA)
		if err != nil {
			break
		}
		pos, err = f.Seek(from, unix.SEEK_HOLE)
		if err != nil {
			t.Fatal(err)
		}
		said += fmt.Sprintf(" %d-%d", from, pos)
	}

	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]) + said
}
