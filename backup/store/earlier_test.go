package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
)

// errRead ends a backup that reads a file which it need not read.
var errRead = errors.New("a file that stayed what it was is read")

type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { return 0, errRead }

// fill adds items as a walk does that looks at files before it reads them, where something is seen of them.
func (h *history) fill(items []item) Fill {
	if h.seen == nil {
		return fillWith(items...)
	}
	of := archive.LayerFingerprint{Container: "c", Image: "i", Home: "/sandbox"}
	return func(ctx context.Context, a *archive.Archive) error {
		earlier := a.Earlier(of)
		a.Note(func(m *archive.Manifest) {
			m.Looked = &archive.Looked{Container: "c", Image: "i", Home: "/sandbox", Settled: time.Unix(0, math.MaxInt64)}
		})
		for _, it := range items {
			header := it.header
			header.Size = int64(len(it.body))
			seen := h.seen[header.Name]
			var content io.Reader = strings.NewReader(it.body)
			kept := earlier.Of(header.Name, header.Size, seen)
			if kept != nil {
				h.kept++
				content = unreadable{}
			}
			if err := a.Add(&header, &archive.Witnessed{Reader: content, Seen: seen, Kept: kept}); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestFilesThatStayedAreNotReadAgain: whatever the history, a backup that takes files from the one before holds what was there.
func TestFilesThatStayedAreNotReadAgain(t *testing.T) {
	t.Parallel()
	for seed := range historyRounds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, uint64(seed))
			h.seen = map[string]archive.Seen{}
			for range 3 {
				h.live(6)
				h.check()
			}
			if h.kept == 0 {
				t.Error("every file was read every time")
			}
			for len(h.saved) > 1 {
				h.prune()
			}
			h.check()
		})
	}
}

// witnessed is a home of three files that was saved once.
func witnessed(t *testing.T) *history {
	h := newHistory(t, 1)
	h.files = map[string]item{}
	h.seen = map[string]archive.Seen{}
	for i, name := range []string{"dir/a", "dir/b", "dir/c"} {
		h.files[name], h.seen[name] = fileItem(name, strings.Repeat(name, 300<<10)), archive.Seen{Inode: uint64(i), Changed: 1}
	}
	h.save()
	return h
}

// TestAFileIsReadAgainWhenAnythingSaysSo names all that the content of the backup before is not taken for.
func TestAFileIsReadAgainWhenAnythingSaysSo(t *testing.T) {
	for what, change := range map[string]func(h *history){
		"another change": func(h *history) { h.seen["dir/b"] = archive.Seen{Inode: 1, Changed: 2} },
		"another inode":  func(h *history) { h.seen["dir/b"] = archive.Seen{Inode: 9, Changed: 1} },
		"another size":   func(h *history) { h.files["dir/b"] = fileItem("dir/b", "short") },
		"another name": func(h *history) {
			h.files["dir/bb"], h.seen["dir/bb"] = fileItem("dir/bb", h.files["dir/c"].body), h.seen["dir/c"]
			delete(h.files, "dir/c")
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := witnessed(t)
			change(h)
			h.save()
			if h.kept != 2 {
				t.Errorf("%d files were kept, not the other two", h.kept)
			}
			h.check()
		})
	}
}

// TestWhatIsKeptIsProven: damage of a pack from which files would be kept is found, and all is read again.
func TestWhatIsKeptIsProven(t *testing.T) {
	h := witnessed(t)
	b := h.list()[0]
	path := filepath.Join(b.Dir, archive.ArchiveName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/4] ^= 1
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	h.save()
	delete(h.saved, b.ID)
	if err := h.store.Remove(t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	h.check()
}

// TestNothingIsKeptOfAnotherHome: what was seen says something of one container alone, and of files that had settled.
func TestNothingIsKeptOfAnotherHome(t *testing.T) {
	h := witnessed(t)
	n := newOf("alpha")
	for what, of := range map[string]archive.LayerFingerprint{
		"another container": {Container: "d", Image: "i", Home: "/sandbox"},
		"another image":     {Container: "c", Image: "j", Home: "/sandbox"},
		"another home":      {Container: "c", Image: "i", Home: "/root"},
	} {
		_, err := h.store.Create(t.Context(), n, func(_ context.Context, a *archive.Archive) error {
			if a.Earlier(of) != nil {
				t.Errorf("%s: files of it were taken for this one's", what)
			}
			return errRead
		})
		if !errors.Is(err, errRead) {
			t.Fatal(err)
		}
	}
	_, err := h.store.Create(t.Context(), n, func(_ context.Context, a *archive.Archive) error {
		e := a.Earlier(archive.LayerFingerprint{Container: "c", Image: "i", Home: "/sandbox"})
		if e.Of("dir/a", int64(len(h.files["dir/a"].body)), h.seen["dir/a"]) == nil {
			t.Error("nothing is kept of the same home either")
		}
		a.Previous.Looked.Settled = time.Unix(0, 1)
		e = a.Earlier(archive.LayerFingerprint{Container: "c", Image: "i", Home: "/sandbox"})
		if e == nil || e.Of("dir/a", int64(len(h.files["dir/a"].body)), h.seen["dir/a"]) != nil {
			t.Error("a file was kept that may have been written to twice in one tick")
		}
		return errRead
	})
	if !errors.Is(err, errRead) {
		t.Fatal(err)
	}
}
