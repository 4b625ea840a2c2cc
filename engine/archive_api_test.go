package engine

import (
	"slices"
	"testing"
)

func TestEnvironmentNamesNeverCarryValues(t *testing.T) {
	got := envNames([]string{"B=secret", "A=x=y", "A=again", "EMPTY="})
	if !slices.Equal(got, []string{"A", "B", "EMPTY"}) {
		t.Errorf("got %q", got)
	}
}
