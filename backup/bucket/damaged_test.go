package bucket

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// spoil flips a bit of the pack that a backup brought, and gives its key.
func (f *fixture) spoil(backup store.Backup) string {
	f.t.Helper()
	for key, size := range f.server.Keys(f.t, "backups") {
		if strings.Contains(key, "/"+packsFolder+"/"+backup.ID) && !strings.HasSuffix(key, damagedSuffix) {
			text := readObject(f.t, f.open("host1"), key)
			text[size/2] ^= 1
			if err := f.open("host1").replace(context.Background(), key, text); err != nil {
				f.t.Fatal(err)
			}
			return key
		}
	}
	f.t.Fatalf("no pack of %s", backup.ID)
	return ""
}

// damagedOnes are the ids that a verification without a key finds damaged, which it notes.
func (f *fixture) damagedOnes() (ids []string) {
	f.t.Helper()
	v, st := f.view(f.open("host1"))
	all, err := st.Backups("alpha")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, b := range all {
		err := v.Verify(f.t.Context(), b, true)
		if _, ok := errors.AsType[*archive.DamageError](err); ok {
			ids = append(ids, b.ID)
		} else if err != nil {
			f.t.Fatal(err)
		}
	}
	if n, err := v.MarkDamaged(f.t.Context()); err != nil || (n > 0) != (len(ids) > 0) {
		f.t.Fatalf("%d objects noted, of %d backups: %v", n, len(ids), err)
	}
	return ids
}

// What a verification found damaged in the bucket is sent again, beside it, with the next backup that needs it, once;
// the backups that were sent before are named, and when they are pruned the damaged object goes with them.
func TestWhatIsDamagedInTheBucketIsSentAgain(t *testing.T) {
	f := newFixture(t, false)
	first := f.save("alpha", "one", 1<<20)
	f.mustSync(f.open("host1"), "alpha")
	spoilt := f.spoil(first)
	if found := f.damagedOnes(); len(found) != 1 {
		t.Fatalf("damaged: %v", found)
	}

	second := f.save("alpha", "two", 1<<20)
	if p := f.mustSync(f.open("host1"), "alpha"); p.Bytes < 1<<20 {
		t.Errorf("what is damaged was relied on: %+v", p)
	}
	third := f.save("alpha", "three", 1<<20)
	if p := f.mustSync(f.open("host1"), "alpha"); p.Bytes > 1<<19 {
		t.Errorf("it is sent each time: %+v", p)
	}
	if found := f.damagedOnes(); len(found) != 1 || found[0] != first.ID {
		t.Errorf("damaged: %v, not %s alone", found, first.ID)
	}
	if _, err := f.prune(f.open("host1"), first); err != nil {
		t.Fatal(err)
	}
	f.assertSame(f.open("host1"), "alpha", second, third)
	for key := range f.server.Keys(t, "backups") {
		if strings.HasPrefix(key, spoilt) {
			t.Errorf("left: %s", filepath.Base(key))
		}
	}

	f.save("alpha", "four", 1<<20)
	if p := f.mustSync(f.open("host1"), "alpha"); p.Bytes > 1<<19 {
		t.Errorf("it is sent anew when the damaged one is gone: %+v", p)
	}
	f.spoil(first) // the one that was sent in its place
	if found := f.damagedOnes(); len(found) != 3 {
		t.Fatalf("damaged: %v", found)
	}
	if fifth := f.save("alpha", "five", 1<<20); f.mustSync(f.open("host1"), "alpha").Bytes < 1<<20 {
		t.Errorf("what is damaged again was relied on for %s", fifth.ID)
	}
	if found := f.damagedOnes(); len(found) != 3 {
		t.Errorf("damaged: %v", found)
	}
}
