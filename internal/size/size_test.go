package size

import (
	"math"
	"testing"
)

func TestText(t *testing.T) {
	for n, want := range map[int64]string{
		-1: "-1 B", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 1500: "1.5 kB",
		999_949: "999.9 kB", 999_950: "1.0 MB", 3_200_000_000: "3.2 GB", math.MaxInt64: "9.2 EB",
	} {
		if got := Text(n); got != want {
			t.Errorf("Text(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		if got := Count(n, "file", "files"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
