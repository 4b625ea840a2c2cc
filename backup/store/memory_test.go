package store

import (
	"archive/tar"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// entryLimit is how many bytes an entry may take while its home is saved: a home may have millions, and 256 MiB are promised for one million.
const entryLimit = 160

// What is remembered of an entry while a home is saved is small, in a first backup and in a later one.
func TestAnEntryTakesLittleMemory(t *testing.T) {
	const few, many = 25_000, 75_000
	s := testStore(t, Options{})
	for _, name := range []string{"first", "later"} {
		var before, after uint64
		_, err := s.Create(t.Context(), newOf("alpha"), func(_ context.Context, a *archive.Archive) error {
			for i := range many {
				if i == few {
					before = heap()
				}
				body := fmt.Sprintf("content %d", i)
				h := tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("a/folder/with/a/long/name/and/a/file-%d", i), Mode: 0o600, Size: int64(len(body))}
				if err := a.Add(&h, strings.NewReader(body)); err != nil {
					return err
				}
			}
			after = heap()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if each := (int64(after) - int64(before)) / (many - few); each > entryLimit {
			t.Errorf("%s: an entry takes %d bytes of memory, more than %d", name, each, entryLimit)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
