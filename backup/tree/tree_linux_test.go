package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/internal/backuptest"
)

// needsRoot skips what only root can make and see.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners, trusted attributes and capabilities are root's")
	}
}

func open(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// passOn writes what it takes through a real tar stream, as an archive does.
type passOn struct {
	stream  *tar.Writer
	omitted []string
}

func (p *passOn) Add(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeFifo || h.Typeflag == 's' {
		p.omitted = append(p.omitted, h.Name)
		return nil
	}
	out := *h
	out.Format = tar.FormatPAX
	if err := p.stream.WriteHeader(&out); err != nil {
		return err
	}
	_, err := io.Copy(p.stream, r)
	return err
}

func (p *passOn) Omit(name, _ string) { p.omitted = append(p.omitted, name) }

// TestATreeComesBackAsItWas: what is read of a folder and written elsewhere cannot be told from it, whatever is in it.
func TestATreeComesBackAsItWas(t *testing.T) {
	needsRoot(t)
	from, to := t.TempDir(), t.TempDir()
	backuptest.MakeOddTree(t, from)
	var packed bytes.Buffer
	sink := &passOn{stream: tar.NewWriter(&packed)}
	changed, err := Read(t.Context(), open(t, from), sink, ReadOptions{})
	if err != nil || len(changed) > 0 || len(sink.omitted) > 0 {
		t.Fatalf("changed %q, omitted %q, %v", changed, sink.omitted, err)
	}
	if err := sink.stream.Close(); err != nil {
		t.Fatal(err)
	}
	w, stream := NewWriter(open(t, to)), tar.NewReader(&packed)
	for {
		h, err := stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name = strings.TrimSuffix(h.Name, "/"); h.Name == "" {
			h.Name = "."
		}
		if err := w.Add(h, stream); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	want := backuptest.TreeFacts(t, from)
	if diff := cmp.Diff(want, backuptest.TreeFacts(t, to)); diff != "" {
		t.Errorf("(-was +is)\n%s", diff)
	}
	if len(want) < 50 {
		t.Errorf("only %d entries were compared", len(want))
	}
}

// TestOnlyFilesAndFoldersAreOpened: a pipe would make who opens it wait for ever, a link leads away, and a mount is somebody else's.
func TestOnlyFilesAndFoldersAreOpened(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	for _, make := range []error{
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644), os.Symlink("/etc", filepath.Join(dir, "away")), os.Mkdir(filepath.Join(dir, "mounted"), 0o755),
		os.Mkdir(filepath.Join(dir, "part"), 0o755), os.WriteFile(filepath.Join(dir, "z"), []byte("last"), 0o644),
	} {
		if make != nil {
			t.Fatal(make)
		}
	}
	for _, at := range []string{"mounted", "part"} {
		if err := unix.Mount("tmpfs", filepath.Join(dir, at), "tmpfs", 0, ""); err != nil {
			t.Skipf("needs the right to mount: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(filepath.Join(dir, at), unix.MNT_DETACH) })
		if err := os.WriteFile(filepath.Join(dir, at, "inside"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sink := &passOn{stream: tar.NewWriter(io.Discard)}
	var added int
	_, err := Read(t.Context(), open(t, dir), sink, ReadOptions{Enter: func(name string) bool { return name == "part" }, Added: func() { added++ }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mounted", "pipe"}, sink.omitted); diff != "" {
		t.Errorf("left out (-want +got)\n%s", diff)
	}
	if added != 6 { // ".", away, part, part/inside, pipe (which the sink refuses), z
		t.Errorf("%d entries were handed over", added)
	}
}

// failing is a sink that is full after some entries.
type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Add(*tar.Header, io.Reader) error {
	if f.left--; f.left < 0 {
		return errFull
	}
	return nil
}

func (f *failing) Omit(string, string) {}

// TestReadEndsWhereItsSinkFails: at whatever entry, with that error, and with nothing left open.
func TestReadEndsWhereItsSinkFails(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		path := filepath.Join(dir, strings.Repeat("d/", i%7), "file-"+strings.Repeat("x", i%50)+string(rune('a'+i%26)))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("content"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	folder := open(t, dir)
	before := openFiles(t)
	for left := range 20 {
		if _, err := Read(t.Context(), folder, &failing{left}, ReadOptions{}); !errors.Is(err, errFull) {
			t.Fatalf("after %d entries: %v", left, err)
		}
	}
	ended, end := context.WithCancelCause(t.Context())
	end(errFull)
	if _, err := Read(ended, folder, &failing{1000}, ReadOptions{}); !errors.Is(err, errFull) {
		t.Errorf("an ended context: %v", err)
	}
	if now := openFiles(t); now != before {
		t.Errorf("%d files are open, %d were before", now, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// TestAFileThatShrinksIsGivenItsLength: the archive promised it, and the name is told.
func TestAFileThatShrinksIsGivenItsLength(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 3<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	sink := &passOn{stream: tar.NewWriter(&got)}
	shrink := func(r io.Reader) io.Reader {
		if err := os.Truncate(path, 1<<20); err != nil {
			t.Fatal(err)
		}
		return r
	}
	changed, err := Read(t.Context(), open(t, dir), sink, ReadOptions{Through: shrink})
	if err != nil || cmp.Diff([]string{"log"}, changed) != "" {
		t.Errorf("changed %q, %v", changed, err)
	}
	if x := bytes.Count(got.Bytes(), []byte("x")); x < 1<<20 {
		t.Errorf("%d of the bytes were kept that were still there", x)
	}
}

// TestASmallFileThatNeverRestsIsGivenAsItWasReadLast: a log that is written to at every try is kept and named, and ends
// no backup.
func TestASmallFileThatNeverRestsIsGivenAsItWasReadLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("of the last try"), 0o644); err != nil {
		t.Fatal(err)
	}
	j := newJob("log")
	var err error
	if j.file, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.loadFacts(newAttributeReader()); err != nil {
		t.Fatal(err)
	}
	j.stat.Mtim.Sec-- // as if it had been written to since
	if err := j.loadSmall(); err != nil {
		t.Fatal(err)
	}

	content, err := io.ReadAll(j.content())
	if err != nil || string(content) != "of the last try" || !j.moved() {
		t.Errorf("%q, moved %v, %v", content, j.moved(), err)
	}
}

// TestAFolderThatGoesMeanwhileEndsNothing: programs remove folders all the time, also between the moment in which one is opened and that in
// which its names are read.
func TestAFolderThatGoesMeanwhileEndsNothing(t *testing.T) {
	w := &walker{ctx: t.Context(), ordered: make(chan *job, 1), attributes: newAttributeReader()}
	for name, through := range map[string]func(fd int) error{
		"to read it":    func(fd int) error { return w.folder(fd, "goes") },
		"to look at it": func(fd int) error { return look(fd, "goes", nil) },
	} {
		goes := filepath.Join(t.TempDir(), "goes")
		if err := os.Mkdir(goes, 0o755); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(goes, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err == nil {
			err = os.Remove(goes)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := through(fd); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAWriterFollowsNothing: entries that lead elsewhere are refused, also when an archive's judge has let them pass.
func TestAWriterFollowsNothing(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]*tar.Header{
		"through a link":       {{Typeflag: tar.TypeSymlink, Name: "a", Linkname: outside}, {Typeflag: tar.TypeReg, Name: "a/b"}},
		"over a link":          {{Typeflag: tar.TypeSymlink, Name: "a", Linkname: filepath.Join(outside, "b")}, {Typeflag: tar.TypeReg, Name: "a"}},
		"a link to the parent": {{Typeflag: tar.TypeReg, Name: "../escaped"}},
		"a hard link away":     {{Typeflag: tar.TypeLink, Name: "a", Linkname: "../../etc/passwd"}},
		"a device":             {{Typeflag: tar.TypeChar, Name: "a"}},
	} {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		w, failed := NewWriter(open(t, dir)), error(nil)
		for _, h := range entries {
			h.Uid, h.Gid = os.Getuid(), os.Getgid()
			failed = errors.Join(failed, w.Add(h, strings.NewReader("")))
		}
		w.Close()
		left, err := os.ReadDir(outside)
		if _, escaped := os.Lstat(filepath.Join(filepath.Dir(dir), "escaped")); failed == nil || err != nil || len(left) > 0 || escaped == nil {
			t.Errorf("%s: it wrote %v, %v, %v", name, left, failed, err)
		}
	}
}
