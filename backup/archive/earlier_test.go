package archive

import (
	"slices"
	"testing"
)

// TestInOrderIsTheOrderOfAWalk: a folder, then what is in it, then the next name beside it.
func TestInOrderIsTheOrderOfAWalk(t *testing.T) {
	walk := []string{".", "-x", "a", "a/b", "a/b/c", "a/c", "a-b", "a.c", "aa", "b"}
	for i, a := range walk {
		for j, b := range walk {
			if got := inOrder(a, b); got != (i < j) {
				t.Errorf("inOrder(%q, %q) = %t", a, b, got)
			}
		}
	}
	if !slices.IsSortedFunc(walk, func(a, b string) int {
		if inOrder(a, b) {
			return -1
		}
		return 1
	}) {
		t.Error("it is no order")
	}
}
