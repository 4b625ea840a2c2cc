package backup

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestCheckSpaceNamesNeedAndRoom(t *testing.T) {
	s := testStore(t, StoreOptions{Free: func(string) (int64, error) { return 1_100_000_000, nil }})
	err := s.CheckSpace("alpha", 3_200_000_000)
	if want := `sandbox "alpha": home is 3.2 GB, 1.1 GB free in ` + s.Root(); err == nil || err.Error() != want {
		t.Errorf("err = %v\nwant  %s", err, want)
	}
	if err := s.CheckSpace("alpha", 1_100_000_000); err != nil {
		t.Errorf("exactly enough: %v", err)
	}
	blind := testStore(t, StoreOptions{Free: func(string) (int64, error) { return 0, errors.New("stale handle") }})
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

func TestDecimalSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_960: "1.0 MB", 3_200_000_000: "3.2 GB"} {
		if got := decimalSize(n); got != want {
			t.Errorf("decimalSize(%d) = %q, want %q", n, got, want)
		}
	}
}
