package pattern

import (
	"regexp"
	"sync"
	"testing"
)

func TestOfCompilesOnce(t *testing.T) {
	digits := Of(`^[0-9]+$`)
	var first [8]*regexp.Regexp
	var wait sync.WaitGroup
	for i := range first {
		wait.Go(func() { first[i] = digits() })
	}
	wait.Wait()
	for _, got := range first {
		if got == nil || got != first[0] || !got.MatchString("110") || got.MatchString("v110") {
			t.Fatalf("compiled to %v", first)
		}
	}
}

func TestOfAWrongOnePanicsWhenItIsUsed(t *testing.T) {
	wrong := Of(`(`)
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	wrong()
}
