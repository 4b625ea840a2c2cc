package gateway

import (
	"strings"
	"testing"
)

func TestReasonsAreOneLine(t *testing.T) {
	got := unknown("it said %q and\n\x1b[31mmore\x1b[0m %s", "a\x00b", strings.Repeat("x", 1000))
	if len(got.Why) > 2*lineLimit || strings.ContainsAny(got.Why, "\n\x1b\x00") {
		t.Errorf("reason %q, want one bounded line without control characters", got.Why)
	}
}
