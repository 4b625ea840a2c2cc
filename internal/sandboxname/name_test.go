package sandboxname

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{"alpha", "a", "my.box", "-"[:0] + "A b", "ünïcode", "a..b", "...", "日本", strings.Repeat("x", 255), "a-", "a\\b"} {
		if err := Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "a/b", "/", "../x", "a\x00", "a\n", "\x1b[31m", "a\u0085", "\xff", "-rf", "--", strings.Repeat("x", 256),
	} {
		if Check(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"alpha", "..", "a/../b", "-x", "a\x00b", "\xc3\x28"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if Check(name) != nil {
			return
		}
		if joined := filepath.Join("/root", name); filepath.Dir(joined) != "/root" || filepath.Base(joined) != name {
			t.Fatalf("%q leads to %q", name, joined)
		}
	})
}

func TestCheckNew(t *testing.T) {
	for _, good := range []string{"a", "alpha", "notes-bot", "a1", "abcdefghijklmnopqrs"} {
		if why := CheckNew(good); why != "" {
			t.Errorf("%q: %s", good, why)
		}
	}
	for _, bad := range []string{"", "Alpha", "1a", "-a", "a-", "a--b", "a_b", "ä", "abcdefghijklmnopqrst"} {
		if CheckNew(bad) == "" {
			t.Errorf("%q passes", bad)
		}
	}
}
