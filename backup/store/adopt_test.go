package store

import (
	"context"
	"testing"

	"sandkeeper/backup/archive"
)

// still is a home that nobody writes to: it is read once, and adopted from then on.
func still(items ...item) func(context.Context, *archive.Archive) error {
	standing := archive.LayerFingerprint{Digest: "as it was"}
	return func(ctx context.Context, a *archive.Archive) error {
		if a.Adopt(standing) {
			return nil
		}
		a.Note(func(m *archive.Manifest) { m.Standing = &standing })
		return fillWith(items...)(ctx, a)
	}
}

// A home in which a backup finds a new file twice, and to which nobody writes afterwards, is whole in the next backups too. They counted
// the second of two equal files as missing, so that they were damaged from the beginning.
func TestAHomeWithTwinsIsAdoptedWhole(t *testing.T) {
	s := testStore(t, Options{})
	create(t, s, newOf("alpha"), folderItem("."))
	twin := bulk(1, 1)
	items := []item{folderItem("."), fileItem("one", twin), fileItem("two", twin)}
	for round, added := range []int64{1 << 20, 0, 0} {
		b, err := s.Create(t.Context(), newOf("alpha"), still(items...))
		if err != nil {
			t.Fatal(err)
		}
		if sums := b.Manifest.Blocks; sums.AddedBytes>>20<<20 != added || (sums.AddedBytes+sums.SharedBytes)>>20 != 2 {
			t.Errorf("backup %d: %+v", round, sums)
		}
		assertContent(t, s, b, items)
	}
}
