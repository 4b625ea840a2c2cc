package tomlkeys

import "testing"

func TestLines(t *testing.T) {
	lines := Of([]byte("a = 1\n[t]\n\nb.c = { d = 2 }\n[[l]]\ne = 1\n[[l]]\n[t.\"x y\"]\n'f' = 3\n"))
	for _, tc := range []struct {
		path []string
		want int
	}{
		{[]string{"a"}, 1},
		{[]string{"t"}, 2},
		{[]string{"t", "b"}, 4},
		{[]string{"t", "b", "c", "d"}, 4},
		{[]string{"l"}, 5},
		{[]string{"l", "e"}, 6},
		{[]string{"t", "x y"}, 8},
		{[]string{"t", "x y", "f"}, 9},
		{[]string{"t", "x y", "nosuch"}, 8},
		{[]string{"nosuch"}, 0},
	} {
		if got := lines.At(tc.path...); got != tc.want {
			t.Errorf("%q stands on line %d, want %d", tc.path, got, tc.want)
		}
	}
}
