package ui

import (
	"strings"
	"testing"
	"unicode"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "alpha", "alpha"},
		{"colour codes", "\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"},
		{"line ends and tabs are spaces", "a\nb\tc\r", "a b c "},
		{"a title bar", "\x1b]0;owned\x07", "\ufffd]0;owned\ufffd"},
		{"right-to-left override", "user\u202egpj.exe", "user\ufffdgpj.exe"},
		{"zero width", "al\u200bpha", "al\ufffdpha"},
		{"no UTF-8", "a\xffb", "a\ufffdb"},
		{"C1 control", "a\u009bb", "a\ufffdb"},
		{"other scripts stay", "砂箱 песочница", "砂箱 песочница"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Clean(tc.in); got != tc.want {
				t.Errorf("Clean(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestCleanLinesKeepsLines(t *testing.T) {
	if got, want := CleanLines("one\x07\ntwo  \n"), "one\ufffd\ntwo\n"; got != want {
		t.Errorf("CleanLines = %q, want %q", got, want)
	}
}

func FuzzCleanLeavesNoControl(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x1b[2J", "a\u2066b", "\xc3\x28"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if i := strings.IndexFunc(Clean(text), unicode.IsControl); i >= 0 {
			t.Errorf("Clean(%q) = %q has a control character at %d", text, Clean(text), i)
		}
	})
}
