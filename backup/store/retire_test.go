package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/backup/archive"
)

// A backup whose index cannot be read may need any block: a prune takes none away, and when the index is there again the backup is whole.
func TestPruneKeepsWhatADamagedBackupMayNeed(t *testing.T) {
	s := testStore(t, Options{})
	one, two := fileItem("one", bulk(1, 1)), fileItem("two", bulk(2, 1)[:300<<10])
	first := create(t, s, newOf("alpha"), folderItem("."), one, two)
	hurt := create(t, s, newOf("alpha"), folderItem("."), two)
	last := create(t, s, newOf("alpha"), folderItem("."))
	index := filepath.Join(hurt.Dir, archive.IndexName)
	aside := filepath.Join(t.TempDir(), "index")
	if err := os.Rename(index, aside); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Remove(t.Context(), first), s.Collect(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, index); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, hurt, []item{folderItem("."), two})
	if err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, hurt, []item{folderItem("."), two})
	assertContent(t, s, last, []item{folderItem(".")})
}

// A backup that was exported, removed and imported again has its blocks under other numbers: those that refer to the old ones keep them.
func TestImportOfARemovedBackupTakesNothingFromOthers(t *testing.T) {
	s := testStore(t, Options{})
	one, two, three := fileItem("one", bulk(1, 1)), fileItem("two", bulk(2, 1)), fileItem("three", bulk(3, 1))
	create(t, s, newOf("alpha"), folderItem("."), one)
	middle := create(t, s, newOf("alpha"), folderItem("."), one, three, two)
	last := create(t, s, newOf("alpha"), folderItem("."), two)
	text := exported(t, s, middle)
	if err := s.Remove(t.Context(), middle); err != nil {
		t.Fatal(err)
	}
	again, err := s.Import(t.Context(), bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	next := create(t, s, newOf("alpha"), folderItem("."), one, two, three)
	for b, want := range map[string][]item{again.ID: {folderItem("."), one, three, two}, last.ID: {folderItem("."), two}, next.ID: {folderItem("."), one, two, three}} {
		found, err := s.Find("alpha", b)
		if err != nil {
			t.Fatal(err)
		}
		assertContent(t, s, found, want)
	}
	if err := errors.Join(s.Remove(t.Context(), again), s.Collect(t.Context())); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, last, []item{folderItem("."), two})
	assertContent(t, s, next, []item{folderItem("."), one, two, three})
}
