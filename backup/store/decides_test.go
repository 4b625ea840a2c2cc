package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
)

// No id names a year that ids cannot name: a backup with one would be seen by nobody.
func TestNoBackupBeyondTheLastYear(t *testing.T) {
	s := testStore(t, Options{Now: func() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }})
	made, refused := 0, 0
	for range 12 {
		_, err := s.Create(t.Context(), newOf("alpha"), func(context.Context, *archive.Archive) error { return nil })
		switch {
		case err == nil:
			made++
		case strings.Contains(err.Error(), "after which no id sorts"):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if list, err := s.Backups("alpha"); err != nil || len(list) != made || refused == 0 {
		t.Errorf("%d made, %d refused, %d listed, %v", made, refused, len(list), err)
	}
}

// A backup that lies among those of another sandbox is shown there, as damage, and is none of either's.
func TestABackupInAnotherSandboxsFolder(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	if err := os.CopyFS(filepath.Join(s.Root(), "beta", b.ID), os.DirFS(b.Dir)); err != nil {
		t.Fatal(err)
	}
	list, err := s.Backups("beta")
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if damage, ok := errors.AsType[*archive.DamageError](list[0].Damage); !ok || damage.Kind != archive.DamageSwapped {
		t.Errorf("damage: %v", list[0].Damage)
	}
}

// A later run gives a second series of a name a folder of its own, by what lies in the first one.
func TestASeriesIsKeptApartByALaterRun(t *testing.T) {
	s := testStore(t, Options{})
	of := func(gateway string) NewBackup {
		n := newOf("alpha")
		n.Manifest.Gateway = gateway
		return n
	}
	first := create(t, s, of("one"), sampleHome()...)
	later, err := Open(s.Root(), Options{UID: os.Geteuid()})
	if err != nil {
		t.Fatal(err)
	}
	second := create(t, later, of("two"), sampleHome()...)
	if filepath.Dir(first.Dir) == filepath.Dir(second.Dir) {
		t.Errorf("both lie in %s", filepath.Dir(first.Dir))
	}
}

// What a version has found out about a layer holds for itself: another one may keep other things of a home.
func TestAnotherVersionTakesNoHomeOver(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	previous := func(tool string) (found bool) {
		s, err := Open(root, Options{UID: os.Geteuid(), Tool: tool})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Create(t.Context(), newOf("alpha"), func(_ context.Context, a *archive.Archive) error {
			found = a.Previous != nil
			a.Note(func(m *archive.Manifest) { m.Standing = &archive.LayerFingerprint{} })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for i, run := range []struct {
		tool string
		want bool
	}{{"1.0", false}, {"1.0", true}, {"1.1", false}} {
		if got := previous(run.tool); got != run.want {
			t.Errorf("run %d, of version %s, has the previous home: %v", i, run.tool, got)
		}
	}
}
