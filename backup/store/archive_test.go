package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/backuptest"
)

// testStore is a store in a folder of its own.
func testStore(t testing.TB, o Options) *Store {
	t.Helper()
	o.UID = os.Getuid()
	s, err := Open(filepath.Join(t.TempDir(), "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newOf is the least that a backup of sandbox needs.
func newOf(sandbox string) NewBackup {
	return NewBackup{Manifest: archive.Manifest{Sandbox: sandbox, Home: "/sandbox", Consistency: archive.ConsistencyStopped}}
}

// item is one entry of a made-up home.
type item struct {
	header tar.Header
	body   string
}

func fileItem(name, body string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640, Uid: 998, Gid: 998, ModTime: time.Unix(1700000000, 0)}, body}
}

func folderItem(name string) item {
	return item{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: time.Unix(1700000000, 0)}, ""}
}

// fillWith adds items in order.
func fillWith(items ...item) func(context.Context, *archive.Archive) error {
	return func(_ context.Context, a *archive.Archive) error {
		for _, it := range items {
			h := it.header
			h.Size = int64(len(it.body))
			if err := a.Add(&h, strings.NewReader(it.body)); err != nil {
				return err
			}
		}
		return nil
	}
}

func create(t testing.TB, s *Store, n NewBackup, items ...item) Backup {
	t.Helper()
	b, err := s.Create(t.Context(), n, fillWith(items...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampleHome is a small home with every kind of entry that is kept.
func sampleHome() []item {
	linked := item{tar.Header{Typeflag: tar.TypeLink, Name: "notes/hard", Linkname: "./notes/a.md"}, ""}
	symlink := item{tar.Header{Typeflag: tar.TypeSymlink, Name: "notes/soft", Linkname: "../../etc/passwd", Mode: 0o777}, ""}
	fine := fileItem("notes/fine", "x")
	fine.header.ModTime = time.Unix(1700000000, 123456789)
	fine.header.PAXRecords = map[string]string{"SCHILY.xattr.user.mark": "blue", "comment": "not kept"}
	return []item{
		folderItem("./"), folderItem("./notes/"), fileItem("./notes/a.md", "hello\n"), linked, symlink, fine,
		fileItem("notes/"+strings.Repeat("long", 60), "long name"), fileItem("notes/caf\xe9 \"q\"\n", "odd name"),
		fileItem("notes/größe", "umlaut"), fileItem("big", strings.Repeat("0123456789abcdef", 5<<15)), fileItem("empty", ""),
	}
}

func TestArchiveIsReadByTarAndZstd(t *testing.T) {
	for _, tool := range []string{"tar", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this machine has no %s", tool)
		}
	}
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	out := t.TempDir()
	cmd := exec.Command("tar", "--zstd", "-xf", b.ArchivePath(), "-C", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, text)
	}
	for _, it := range sampleHome() {
		name := filepath.Join(out, it.header.Name)
		info, err := os.Lstat(name)
		if err != nil {
			t.Errorf("lost: %v", err)
			continue
		}
		if it.header.Typeflag != tar.TypeReg {
			continue
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != it.body {
			t.Errorf("%q: %d bytes, %v; want %d", it.header.Name, len(got), err, len(it.body))
		}
		if !info.ModTime().Equal(it.header.ModTime) || info.Mode().Perm() != 0o640 {
			t.Errorf("%q: %v %v, want %v", it.header.Name, info.ModTime(), info.Mode(), it.header.ModTime)
		}
	}
	if target, err := os.Readlink(filepath.Join(out, "notes/soft")); target != "../../etc/passwd" {
		t.Errorf("symlink leads to %q, %v", target, err)
	}
	one, _ := os.Stat(filepath.Join(out, "notes/a.md"))
	two, _ := os.Stat(filepath.Join(out, "notes/hard"))
	if !os.SameFile(one, two) {
		t.Error("the hard link became a copy")
	}
	raw, err := exec.Command("zstd", "-dc", b.ArchivePath()).Output()
	if err != nil {
		t.Fatal(err)
	}
	h, err := tar.NewReader(bytes.NewReader(raw)).Next()
	if err != nil || h.Name != "./" {
		t.Errorf("first entry = %v, %v; want ./", h, err)
	}
}

func TestArchiveLeavesOutWhatCannotBeKept(t *testing.T) {
	flagged := func(flag byte, name, link string) item {
		return item{tar.Header{Typeflag: flag, Name: name, Linkname: link}, ""}
	}
	want := map[string]string{
		"/etc/passwd": "absolute path", "a/../b": "path that is not plain", "..": "path that is not plain",
		"dev": "device", "pipe": "pipe", "what": "not a file, folder or link (tar type x)", "twice": "listed twice; the first one was kept",
		"link/x": "lies below something that is not a folder", "l1": "hard link to dev, which was left out",
		"l2": "hard link to nowhere, which was not captured", "l3": "hard link to link, which is not a file", "gone": "permission denied",
		"l4": "hard link to gone, which was left out", "a//b": "path that is not plain",
	}
	items := []item{
		folderItem("."), fileItem("/etc/passwd", "x"), fileItem("a/../b", "x"), fileItem("..", "x"), fileItem("a//b", "x"), flagged(tar.TypeChar, "dev", ""), flagged(tar.TypeFifo, "pipe", ""),
		flagged(tar.TypeXGlobalHeader, "global", ""), flagged('x', "what", ""), fileItem("twice", "1"), fileItem("twice", "2"), flagged(tar.TypeSymlink, "link", "/etc"), fileItem("link/x", "through"),
		flagged(tar.TypeLink, "l1", "dev"), flagged(tar.TypeLink, "l2", "nowhere"), flagged(tar.TypeLink, "l3", "link"), fileItem("kept", "yes"),
	}
	s := testStore(t, Options{})
	b, err := s.Create(t.Context(), newOf("alpha"), func(ctx context.Context, a *archive.Archive) error {
		if err := fillWith(items...)(ctx, a); err != nil {
			return err
		}
		a.Omit("./gone", "permission denied")
		return fillWith(flagged(tar.TypeLink, "l4", "gone"))(ctx, a)
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range b.Manifest.Exclusions {
		got[x.Path] = x.Reason
	}
	if !maps.Equal(got, want) {
		t.Errorf("exclusions = %q\nwant %q", got, want)
	}
	full, err := s.Load(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range listed(t, full.Index).Entries {
		names = append(names, e.Name())
	}
	if want := []string{".", "twice", "link", "kept"}; !slices.Equal(names, want) {
		t.Errorf("entries = %q, want %q", names, want)
	}
}

func TestArchiveStopsWhereTheSourceBreaks(t *testing.T) {
	reset := errors.New("connection reset")
	for name, broken := range map[string]struct {
		r    io.Reader
		want error
	}{
		"short":       {strings.NewReader("12345"), io.ErrUnexpectedEOF},
		"reset":       {io.MultiReader(strings.NewReader("12345"), backuptest.BrokenReader{Err: reset}), reset},
		"reset later": {io.MultiReader(strings.NewReader(strings.Repeat("x", 3<<20)), backuptest.BrokenReader{Err: reset}), reset},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, Options{})
			_, err := s.Create(t.Context(), newOf("alpha"), func(_ context.Context, a *archive.Archive) error {
				err := a.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "memory.db", Size: 4 << 20}, broken.r)
				if again := a.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "next"}, nil); again == nil {
					t.Error("the archive took an entry after it broke")
				}
				return err
			})
			broke, ok := errors.AsType[*archive.EntryError](err)
			if !ok || broke.Path != "memory.db" || !errors.Is(err, broken.want) {
				t.Errorf("err = %v", err)
			}
			assertNothingLeft(t, s)
		})
	}
}

// assertNothingLeft checks that a failed run for alpha left neither a backup nor litter.
func assertNothingLeft(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.folder("alpha"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

func TestArchiveEndsWithItsContext(t *testing.T) {
	s := testStore(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	stalled := fmt.Errorf("no byte for 60s")
	_, err := s.Create(ctx, newOf("alpha"), func(_ context.Context, a *archive.Archive) error {
		cancel(stalled)
		return a.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 64 << 20}, backuptest.Zeros{})
	})
	if !errors.Is(err, stalled) {
		t.Errorf("err = %v, want the cause", err)
	}
	assertNothingLeft(t, s)
}
