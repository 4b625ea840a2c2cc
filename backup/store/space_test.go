package store

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestCheckSpaceNamesNeedAndRoom(t *testing.T) {
	s := testStore(t, Options{Free: func(string) (int64, error) { return 1_100_000_000, nil }})
	err := s.CheckSpace("alpha", 3_200_000_000)
	if want := `sandbox "alpha": home is 3.2 GB, 1.1 GB free in ` + s.Root(); err == nil || err.Error() != want {
		t.Errorf("err = %v\nwant  %s", err, want)
	}
	if err := s.CheckSpace("alpha", 1_100_000_000); err != nil {
		t.Errorf("exactly enough: %v", err)
	}
	blind := testStore(t, Options{Free: func(string) (int64, error) { return 0, errors.New("stale handle") }})
	if err := blind.CheckSpace("alpha", 1); err == nil {
		t.Error("unknown room passed for enough")
	}
}

func TestFreeSpaceOfAFolderThatIsNotThereYet(t *testing.T) {
	free, err := freeSpace(filepath.Join(t.TempDir(), "not", "yet"))
	if err != nil || free <= 0 {
		t.Errorf("free = %d, %v", free, err)
	}
}
