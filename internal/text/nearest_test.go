package text

import "testing"

func TestTypingErrors(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"list", "list", 0},
		{"lst", "list", 1},
		{"lsit", "list", 1},
		{"listt", "list", 1},
		{"lust", "list", 1},
		{"bakup-al", "backup-all", 2},
		{"", "list", 4},
	} {
		if got := typingErrors(tc.a, tc.b); got != tc.want {
			t.Errorf("typingErrors(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
